"""Plans against a real switch: sent, read back, refused."""

from dataclasses import replace

import pytest

from controller.compiler.compile import compile_policy
from controller.openflow.encode import to_wire
from controller.pipeline.tables import Table
from controller.policy.model import MailMode, Policy
from controller.policy.parse import read_policy
from controller.sync.outcomes import PlanRefused
from controller.sync.plan import Plan, difference
from controller.sync.state import WireFlow, WireKey
from tests.openflow.client import SwitchClient
from tests.ovs.dummy import DummyOvs
from tests.ovs.edge import ACME, DEMO, PROXY1, PROXY2, UPLINK, EdgeUnderTest
from tests.ovs.packets import ACK, SYN

pytestmark = pytest.mark.ovs

CLIENT, SERVER = ("198.51.100.10", 40000), ("203.0.113.10", 25)


def _without_member(policy: Policy, name: str) -> Policy:
    pools = tuple(
        replace(pool, members=tuple(member for member in pool.members if member.name != name))
        for pool in policy.pools
    )
    return replace(policy, pools=pools)


def _tables(edge: EdgeUnderTest) -> list[str]:
    """All flows; a switch lists those of one priority in no order."""
    return sorted(edge.ovs.ofctl("dump-flows", "s1", "--no-stats").splitlines())


def test_every_flow_and_group_is_reported_exactly_as_it_was_sent(ovs: DummyOvs) -> None:
    ovs.add_bridge("s1", 1, ports=11)
    desired = to_wire(compile_policy(read_policy(DEMO))["s1"])
    with SwitchClient(ovs.management_socket("s1")) as client:
        client.send(difference(desired, client.read().installed))
        installed = client.read().installed
    assert dict(installed.groups) == dict(desired.groups)
    assert installed.flows.keys() == desired.flows.keys()
    for key, flow in desired.flows.items():
        assert installed.flows[key].instructions == flow.instructions
        assert installed.flows[key].cookie == flow.cookie


def test_applying_a_policy_twice_sends_nothing_the_second_time(edge: EdgeUnderTest) -> None:
    assert edge.apply(read_policy(DEMO)).is_empty


def test_an_edit_and_its_revert_leave_the_same_tables(edge: EdgeUnderTest) -> None:
    policy = read_policy(DEMO)
    before = _tables(edge)
    assert not edge.apply(_without_member(policy, "proxy2")).is_empty
    edge.apply(policy)
    assert _tables(edge) == before


def test_flows_that_somebody_added_by_hand_are_removed(edge: EdgeUnderTest) -> None:
    edge.ovs.ofctl("add-flow", "s1", "table=7,priority=65000,actions=output:2")
    assert len(edge.apply(read_policy(DEMO)).deleted_flows) == 1


def test_a_flow_whose_actions_somebody_changed_is_put_right(edge: EdgeUnderTest) -> None:
    edge.ovs.ofctl("mod-flows", "s1", "--strict", f"table={Table.SUSPICION.value},priority=0,actions=drop")
    assert len(edge.apply(read_policy(DEMO)).put_flows) == 1


def test_an_open_session_stays_on_its_proxy_when_the_weights_of_its_pool_change(edge: EdgeUnderTest) -> None:
    (proxy,) = edge.send_tcp(UPLINK, CLIENT, SERVER, SYN)
    leaving = {PROXY1: "proxy1", PROXY2: "proxy2"}[proxy]
    groups_before = edge.ovs.ofctl("dump-groups", "s1")
    edge.apply(_with_weight_elsewhere(read_policy(DEMO), leaving))
    assert edge.ovs.ofctl("dump-groups", "s1") != groups_before
    assert edge.send_tcp(UPLINK, CLIENT, SERVER, ACK) == {proxy}


def _with_weight_elsewhere(policy: Policy, name: str) -> Policy:
    """Give the other member all the weight that a pool can give."""
    pools = tuple(
        replace(pool, members=tuple(m if m.name == name else replace(m, weight=100) for m in pool.members))
        for pool in policy.pools
    )
    return replace(policy, pools=pools)


def test_an_open_session_outlives_a_change_of_its_tenants_mode(edge: EdgeUnderTest) -> None:
    (proxy,) = edge.send_tcp(UPLINK, CLIENT, SERVER, SYN)
    edge.apply(_in_direct_mode(read_policy(DEMO), "acme"))
    assert edge.send_tcp(UPLINK, CLIENT, SERVER, ACK) == {proxy}
    assert edge.send_tcp(UPLINK, (CLIENT[0], 40001), SERVER, SYN) & {PROXY1, PROXY2, ACME} == set()


def _in_direct_mode(policy: Policy, name: str) -> Policy:
    tenants = tuple(
        replace(tenant, mail=replace(tenant.mail, mode=MailMode.DIRECT, proxies="", scan=()))
        if tenant.name == name and tenant.mail
        else tenant
        for tenant in policy.tenants
    )
    return replace(policy, tenants=tenants)


def test_a_refused_plan_changes_nothing_at_all(edge: EdgeUnderTest) -> None:
    before = _tables(edge)
    good = WireFlow(WireKey(6, 5, b""), 1, b"", b"")
    goto_backward = bytes.fromhex("0001000802000000")
    bad = WireFlow(WireKey(6, 6, b""), 1, goto_backward, b"")
    with SwitchClient(edge.ovs.management_socket("s1")) as client:
        answer = client.send(Plan(put_flows=(good, bad)))
    assert isinstance(answer, PlanRefused)
    assert "bad instruction" in answer.reason
    assert _tables(edge) == before
