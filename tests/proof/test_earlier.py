"""Sessions that were opened under an earlier policy are proved under the present one, too."""

import json

import pytest
import yaml

from controller.pipeline import priorities
from controller.pipeline.fields import MAC_BITS, CtState
from controller.proof.atoms import cut
from controller.proof.model import Claim
from controller.proof.prove import prove
from tests.proof.networks import POLICIES, holding, network_from, network_of
from tests.proof.states import tree_of
from tests.proof.test_old_holes import follow

pytestmark = pytest.mark.proofs

OTHER = {"at": "s1:20", "mac": "02:cc:00:00:00:09", "addresses": ["192.0.2.19", "2001:db8:e::19"]}


def test_a_proof_takes_up_the_connections_of_an_earlier_one() -> None:
    before = prove(network_of("demo"))
    again = prove(network_of("demo"), earlier=before.connections)
    assert again.is_proved, again.violations
    assert len(again.connections.kept) >= len(before.connections.kept)


def test_a_session_of_a_gateway_that_serves_no_more_is_found() -> None:
    """acme changes to another pool of proxies: sessions that the old one relays are open still."""
    data = yaml.safe_load((POLICIES / "demo.yaml").read_text(encoding="utf-8"))
    pool = yaml.safe_load(yaml.safe_dump(data["pools"]["proxies"]))
    pool["members"] = {
        "other1": {"at": "s1:20", "mac": "02:cc:00:00:00:09", "addresses": ["192.0.2.19", "2001:db8:e::19"]}
    }
    data["pools"]["others"] = pool
    old = prove(network_from(yaml.safe_dump(data)))
    data["tenants"]["acme"]["mail"]["proxies"] = "others"
    network = network_from(yaml.safe_dump(data))
    assert prove(network).is_proved
    found = prove(network, earlier=old.connections)
    assert {each.claim for each in found.violations} == {Claim.PORT_25}
    assert {each.sender.rpartition(".")[2] for each in found.violations} <= {"proxy1", "proxy2"}


def test_what_the_policy_before_permitted_may_go_on() -> None:
    """The same edit as above: the old proxies may finish what they have begun, and begin nothing."""
    data = tree_of("demo")
    pool = {**data["pools"]["proxies"], "members": {"other1": OTHER}}
    data["pools"]["others"] = pool
    before = network_from(json.dumps(data))
    old = prove(before)
    data["tenants"]["acme"]["mail"]["proxies"] = "others"
    network = network_from(json.dumps(data))
    assert prove(network, earlier=old.connections, before=before).is_proved


def test_what_neither_policy_permitted_is_found() -> None:
    """Sessions of the policy before follow their labels, whoever sends: a flow that somebody has added."""
    before = network_of("demo")
    old = prove(before)
    tree = tree_of("demo")
    del tree["tenants"]["globex"]
    network = holding(
        network_from(json.dumps(tree)),
        follow(priorities.NORMAL + 1, CtState.TRACKED | CtState.REPLY, MAC_BITS),
    )
    found = prove(network, earlier=old.connections, before=before)
    assert Claim.FOREIGN_SESSION in {each.claim for each in found.violations}


def test_an_address_that_others_fill_has_no_atom_left() -> None:
    """Both halves of a prefix have changed hands: nothing is left of the whole."""
    domain = cut(8, [(0x40, 2), (0x40, 3), (0x60, 3)])
    assert domain.mask(0x40, 2) == domain.mask(0x40, 3) | domain.mask(0x60, 3)
    assert domain.everything.bit_count() == 3
