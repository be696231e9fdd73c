"""The policies that are shipped, and variants of the demo, are proved."""

from dataclasses import replace

import pytest

from controller.compiler.compile import compile_policy
from controller.compiler.network_state import Conditions
from controller.openflow.encode import to_wire
from controller.policy.model import PortRef
from controller.proof.model import Claim, NetworkState
from controller.proof.prove import prove
from tests.proof.networks import edited, network_of, policy_of

pytestmark = pytest.mark.proofs


@pytest.mark.parametrize("name", ["minimal", "demo", "ring"])
def test_what_a_shipped_policy_installs_is_proved(name: str) -> None:
    proof = prove(network_of(name))
    assert proof.is_proved, proof.violations
    assert proof.flows > 100


def _affinity(data: dict[str, object]) -> None:
    data["pools"]["proxies"]["affinity"] = "1h"  # type: ignore[index]


def _no_antivirus(data: dict[str, object]) -> None:
    del data["pools"]["antivirus"]  # type: ignore[attr-defined]
    for tenant in data["tenants"].values():  # type: ignore[attr-defined]
        tenant.pop("antivirus")


def _udp(data: dict[str, object]) -> None:
    services = data["tenants"]["acme"]["services"]  # type: ignore[index]
    services["dns"] = {"protocol": "udp", "ports": [53], "servers": ["203.0.113.10", "2001:db8:a::10"]}
    services["ping"] = {"protocol": "icmp", "servers": ["203.0.113.10", "2001:db8:a::10"]}


@pytest.mark.parametrize("edit", [_affinity, _no_antivirus, _udp])
def test_a_variant_of_the_demo_is_proved(edit: object) -> None:
    proof = prove(edited("demo", edit))  # type: ignore[arg-type]
    assert proof.is_proved, proof.violations


def test_an_empty_pool_with_bypass_is_proved_because_the_bypass_is_permitted() -> None:
    network = edited("demo", lambda data: data["tenants"]["acme"]["mail"].update(on_empty="bypass"))  # type: ignore
    shares = {f"pools.proxies.members.{name}": 0 for name in ("proxy1", "proxy2")}
    conditions = Conditions(shares)
    states = {name: to_wire(each) for name, each in compile_policy(network.policy, conditions).items()}
    assert prove(NetworkState(network.policy, states, conditions)).is_proved
    without_permit = prove(NetworkState(network.policy, states))
    assert Claim.PORT_25 in {violation.claim for violation in without_permit.violations}


def test_a_ring_with_a_broken_trunk_is_proved() -> None:
    policy = policy_of("ring")
    conditions = Conditions(broken=frozenset({PortRef("s1", 11), PortRef("s2", 12)}))
    states = {name: to_wire(each) for name, each in compile_policy(policy, conditions).items()}
    assert prove(replace(network_of("ring"), switches=states, conditions=conditions)).is_proved
