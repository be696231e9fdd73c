"""Changes that need no proof of their own, and changes that do."""

from dataclasses import replace
from ipaddress import ip_network

from controller.compiler.compile import compile_policy
from controller.compiler.decisions import Enforcement
from controller.compiler.network_state import Conditions
from controller.openflow.encode import flow_to_wire, to_wire
from controller.pipeline import priorities
from controller.pipeline.flows import Flow, match
from controller.pipeline.tables import Table
from controller.proof.covered import are_covered, is_covered
from controller.suspicion.allow import Allowance
from controller.sync.state import WireFlow, WireMeter, WireState
from tests.proof.networks import network_of, policy_of

DEMO = network_of("demo").switches["s1"]


def _under(conditions: Conditions) -> WireState:
    return to_wire(compile_policy(policy_of("demo"), conditions)["s1"])


def test_a_state_covers_itself() -> None:
    assert is_covered(DEMO, DEMO)
    assert is_covered(replace(DEMO, flows=dict(DEMO.flows)), DEMO)


def test_a_member_that_gets_no_new_sessions_needs_no_proof_but_its_return_does() -> None:
    drained = _under(Conditions({"pools.proxies.members.proxy1": 0}))
    assert drained != DEMO
    assert is_covered(drained, DEMO)
    assert not is_covered(DEMO, drained)


def test_another_weight_needs_no_proof() -> None:
    heavier = _under(Conditions({"pools.proxies.members.proxy1": 7}))
    assert heavier != DEMO
    assert is_covered(heavier, DEMO) and is_covered(DEMO, heavier)


def test_an_empty_pool_needs_a_proof_because_mail_goes_another_way() -> None:
    shares = {f"pools.proxies.members.{name}": 0 for name in ("proxy1", "proxy2")}
    assert not is_covered(_under(Conditions(shares)), DEMO)


def test_a_meter_needs_no_proof() -> None:
    assert is_covered(replace(DEMO, meters={7: WireMeter(7, b"any")}), DEMO)


def test_a_decision_needs_no_proof() -> None:
    source = ip_network("198.51.100.66")
    (flow,) = Enforcement(policy_of("demo")).of_allowance(_allowance(source))["s1"].flows
    wire = flow_to_wire(flow)
    more = replace(DEMO, flows={**DEMO.flows, wire.key: wire})
    assert is_covered(more, DEMO) and is_covered(DEMO, more)


def _allowance(source: object) -> Allowance:
    fields = {name: None for name in Allowance.__dataclass_fields__}
    return Allowance(**{**fields, "number": 3, "source": source})  # type: ignore[arg-type]


def test_a_flow_more_or_less_needs_a_proof() -> None:
    flow = flow_to_wire(Flow(Table.SERVICE, priorities.LOW, match(), (), Table.ROUTE, "policy"))
    assert not is_covered(replace(DEMO, flows={**DEMO.flows, flow.key: flow}), DEMO)
    fewer = dict(list(DEMO.flows.items())[1:])
    assert not is_covered(replace(DEMO, flows=fewer), DEMO), "a drop may have gone"


def test_a_flow_with_a_decisions_cookie_and_another_form_needs_a_proof() -> None:
    (flow,) = Enforcement(policy_of("demo")).of_allowance(_allowance(ip_network("198.51.100.66")))["s1"].flows
    wire = flow_to_wire(flow)
    evil = WireFlow(wire.key, wire.cookie, bytes.fromhex("000100080d000000"), wire.wire_fields)  # goto route
    assert not is_covered(replace(DEMO, flows={**DEMO.flows, evil.key: evil}), DEMO)


def test_all_switches_must_be_covered() -> None:
    ring = network_of("ring").switches
    assert are_covered(ring, ring)
    fewer = {**ring, "s2": replace(ring["s2"], flows=dict(list(ring["s2"].flows.items())[1:]))}
    assert not are_covered(fewer, ring)
    assert not are_covered({"s1": ring["s1"]}, ring)
