"""The four holes that the first proof found in the flows of that time: each is opened again by hand,
and found.
"""

import pytest

from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import MAC_BITS, CtState, EthType
from controller.pipeline.flows import DecTtl, Flow, Move, match
from controller.pipeline.tables import Table
from controller.proof.model import Claim, NetworkState
from controller.proof.prove import prove
from controller.topology.ports import mac_number
from tests.proof.networks import holding, network_of, without

pytestmark = pytest.mark.proofs

_TRACKED, _REPLY, _INVALID = (
    CtState.TRACKED,
    CtState.TRACKED | CtState.REPLY,
    CtState.TRACKED | CtState.INVALID,
)
_TO_INITIATOR, _TO_RESPONDER = MAC_BITS, 0
DECOY, ACME = mac_number("02:ee:00:00:00:01"), "tenants.acme.gateways.acme-gw"


def follow(priority: int, state: int, to: int, *more: tuple[f.Field, int] | tuple[f.Field, int, int]) -> Flow:
    """Return a flow of table `resume` that follows the label, whoever sends."""
    wanted = match((f.ETH_TYPE, EthType.IPV4), (f.CT_STATE, state, state), *more)
    actions = (Move(f.CT_LABEL, f.ETH_DST, MAC_BITS, source_offset=to), DecTtl())
    return Flow(Table.RESUME, priority, wanted, actions, Table.FORWARD, "policy")


@pytest.fixture(scope="module")
def anybody_follows() -> NetworkState:
    """F1: the label is followed without looking at the sender."""
    replies = follow(priorities.NORMAL + 1, _REPLY, _TO_INITIATOR)
    others = follow(priorities.LOW + 1, _TRACKED, _TO_RESPONDER)
    return holding(network_of("demo"), replies, others)


def test_hosts_that_answer_in_sessions_of_others_are_found(anybody_follows: NetworkState) -> None:
    found = prove(anybody_follows).violations
    strangers = {
        each.sender for each in found if each.claim is Claim.FOREIGN_SESSION and each.receiver == ACME
    }
    assert {"pools.decoys.members.decoy1", "pools.responders.members.responder1"} <= strangers
    assert any(each.is_confirmed and each.opener and each.flows for each in found)


def test_a_gateway_that_repeats_anothers_session_reaches_port_25_and_is_found(
    anybody_follows: NetworkState,
) -> None:
    found = prove(anybody_follows).violations
    senders = {each.sender for each in found if each.claim is Claim.PORT_25 and each.receiver == ACME}
    assert "pools.scanners.members.scanner1" in senders, "scanner1 serves globex only"


def test_a_decoy_that_reaches_a_dark_port_25_with_an_invalid_packet_is_found() -> None:
    is_decoys = (f.ETH_SRC, DECOY), (f.CT_LABEL, DECOY, (1 << MAC_BITS) - 1)
    proof = prove(
        holding(network_of("demo"), follow(priorities.RAISED + 1, _INVALID, _TO_INITIATOR, *is_decoys))
    )
    (found,) = {each for each in proof.violations if each.receiver == ACME and each.claim is Claim.PORT_25}
    assert found.sender == "pools.decoys.members.decoy1"
    assert "invalid" in found.packet and found.is_confirmed


def test_an_antivirus_server_that_answers_to_port_25_is_found() -> None:
    drops_of_port_25 = f.TCP_SRC
    proof = prove(without(network_of("demo"), lambda flow: _is_denied(flow.key, drops_of_port_25)))
    found = [each for each in proof.violations if each.claim is Claim.PORT_25 and each.receiver == ACME]
    assert "pools.antivirus.members.av1" in {each.sender for each in found}


def _is_denied(key: object, field: f.Field) -> bool:
    from controller.openflow.oxm import header
    from controller.sync.state import WireKey

    assert isinstance(key, WireKey)
    is_in = header(field).to_bytes(4) + (25).to_bytes(2) in key.fields
    return key.table == Table.SERVICE and key.priority == priorities.DENY and is_in


def test_a_role_that_resume_does_not_compare_lets_errors_of_decoys_pass(
    anybody_follows: NetworkState,
) -> None:
    arrivals = prove(anybody_follows).arrivals
    from controller.proof import modes
    from controller.proof.arrivals import Frame

    frame = Frame(
        mac_number("02:50:00:00:00:01"), mac_number("02:aa:00:00:00:01"), EthType.IPV4, proto=1, icmp_type=3
    )
    assert arrivals.foresees("s1", 2, frame, "pools.decoys.members.decoy1", modes.ERROR_BY_STRANGER)
    sound = prove(network_of("demo")).arrivals
    assert not sound.foresees("s1", 2, frame, "pools.decoys.members.decoy1", modes.ERROR_BY_STRANGER)
