"""A client's next session goes to the member of its last one: on a real switch, which learns it by itself."""

import re
import time
from dataclasses import replace

import pytest

from controller.compiler.compile import compile_policy
from controller.compiler.network_state import Conditions
from controller.compiler.stages import affinity
from controller.openflow.encode import to_wire
from controller.pipeline.tables import Table
from controller.policy.model import Policy
from controller.policy.parse import parse_policy, read_policy
from controller.sync.outcomes import PlanConfirmed
from controller.sync.plan import Plan, difference
from tests.openflow.client import SwitchClient
from tests.ovs.dummy import DummyOvs
from tests.ovs.edge import ACME, DEMO, PROXY1, PROXY2, SCANNER1, SCANNER2, UPLINK, EdgeUnderTest
from tests.ovs.packets import SYN

pytestmark = pytest.mark.ovs

CLIENT = {4: "198.51.100.10", 6: "2001:db8:bb::10"}
ACME_MX = {4: "203.0.113.10", 6: "2001:db8:a::10"}
GLOBEX_MX = {4: "203.0.113.74", 6: "2001:db8:b::10"}
VIP = {4: "192.0.2.100", 6: "2001:db8:e::100"}
PROXY1_ADDRESS = {4: "192.0.2.11", 6: "2001:db8:e::11"}
NAME = {PROXY1: "proxy1", PROXY2: "proxy2"}
families = pytest.mark.parametrize("family", [4, 6])


def sticky(policy: Policy, seconds: int = 60) -> Policy:
    """Return a policy whose pools keep their clients."""
    return replace(policy, pools=tuple(replace(pool, affinity_s=seconds) for pool in policy.pools))


@pytest.fixture
def edge(ovs: DummyOvs) -> EdgeUnderTest:
    edge = EdgeUnderTest(ovs)
    edge.apply(sticky(read_policy(DEMO)))
    return edge


def other(proxy: int) -> int:
    return PROXY1 + PROXY2 - proxy


def connect(edge: EdgeUnderTest, family: int, port: int, client: str = "", server: str = "") -> int:
    """Open a connection; return the port of the member that got it."""
    ends = (client or CLIENT[family], port), (server or ACME_MX[family], 25)
    (out,) = edge.send_tcp(UPLINK, *ends, SYN)
    return out


def connect_often(edge: EdgeUnderTest, family: int, begin: int = 20_000, count: int = 20) -> set[int]:
    return {connect(edge, family, port) for port in range(begin, begin + count)}


def learned(edge: EdgeUnderTest) -> list[str]:
    lines = edge.ovs.ofctl("dump-flows", "s1", f"table={Table.RECALL.value}").splitlines()
    return [line for line in lines if "cookie=" in line]


def only(edge: EdgeUnderTest, taker: str) -> Plan:
    """Have one proxy alone take new sessions, as while the other one drains or is down."""
    resting = {f"pools.proxies.members.{name}": 0 for name in NAME.values() if name != taker}
    return carry_out(edge, Conditions(shares=resting))


def carry_out(edge: EdgeUnderTest, conditions: Conditions, policy: Policy | None = None) -> Plan:
    desired = to_wire(compile_policy(policy or sticky(read_policy(DEMO)), conditions)["s1"])
    with SwitchClient(edge.ovs.management_socket("s1")) as client:
        plan = difference(desired, client.read().installed)
        assert isinstance(client.send(plan), PlanConfirmed)
        assert difference(desired, client.read().installed).is_empty
    edge.ovs.empty_caches()
    return plan


@families
def test_all_sessions_of_a_client_go_to_one_member(edge: EdgeUnderTest, family: int) -> None:
    assert len(connect_often(edge, family)) == 1


@families
def test_sessions_that_come_before_the_cache_follows_what_was_learned_go_there_too(
    edge: EdgeUnderTest, family: int
) -> None:
    edge.ovs.appctl("revalidator/pause")
    try:
        network = CLIENT[family].rstrip("0123456789")
        for last in range(20, 30):
            client = f"{network}{last}"
            met = {connect(edge, family, port, client) for port in range(20_000, 20_006)}
            assert len(met) == 1, client
    finally:
        edge.ovs.appctl("revalidator/resume")


@families
def test_sessions_of_a_known_client_take_no_cached_flows_of_their_own(
    edge: EdgeUnderTest, family: int
) -> None:
    connect_often(edge, family)
    edge.ovs.empty_caches()
    connect_often(edge, family, 30_000)
    before = len(edge.ovs.appctl("dpctl/dump-flows").splitlines())
    connect_often(edge, family, 40_000, 50)
    assert len(edge.ovs.appctl("dpctl/dump-flows").splitlines()) <= before


@families
def test_clients_are_spread_over_the_members_all_the_same(edge: EdgeUnderTest, family: int) -> None:
    network = CLIENT[family].rstrip("0123456789")
    first = [connect(edge, family, 20_000, f"{network}{last}") for last in range(20, 60)]
    again = [connect(edge, family, 30_000, f"{network}{last}") for last in range(20, 60)]
    assert first == again
    assert set(first) == {PROXY1, PROXY2}


def test_without_affinity_one_client_is_spread(edge: EdgeUnderTest) -> None:
    edge.apply(read_policy(DEMO))
    assert connect_often(edge, 4, count=40) == {PROXY1, PROXY2}
    assert learned(edge) == []


@families
def test_a_client_that_comes_by_another_server_of_the_pool_meets_the_same_member(
    edge: EdgeUnderTest, family: int
) -> None:
    another = {4: "203.0.113.11", 6: "2001:db8:a::11"}
    text = DEMO.read_text(encoding="utf-8")
    for family_, address in ACME_MX.items():
        text = text.replace(f'"{address}"]\n      scan', f'"{address}", "{another[family_]}"]\n      scan')
        text = text.replace(f"servers: [{address}, ", f"servers: [{another[family_]}, {address}, ", 1)
    edge.apply(sticky(parse_policy(text, "p.yaml")))
    (member,) = connect_often(edge, family)
    assert connect_often_to(edge, family, another[family]) == {member}


def connect_often_to(edge: EdgeUnderTest, family: int, server: str) -> set[int]:
    return {connect(edge, family, port, server=server) for port in range(50_000, 50_020)}


@families
def test_pools_remember_apart(edge: EdgeUnderTest, family: int) -> None:
    proxy, scanner = connect(edge, family, 20_000), connect(edge, family, 20_000, server=GLOBEX_MX[family])
    assert scanner in (SCANNER1, SCANNER2)
    assert connect(edge, family, 20_001) == proxy
    assert connect(edge, family, 20_001, server=GLOBEX_MX[family]) == scanner
    assert len(learned(edge)) == 2


@families
def test_a_proxy_that_has_something_scanned_meets_all_scanners(edge: EdgeUnderTest, family: int) -> None:
    """Its second try must be able to reach another one."""
    asked = {
        port
        for number in range(40)
        for port in edge.send_tcp(PROXY1, (PROXY1_ADDRESS[family], 20_000 + number), (VIP[family], 3310), SYN)
    }
    assert asked == {SCANNER1, SCANNER2}
    assert learned(edge) == []


@families
def test_a_gateways_own_leg_still_reaches_the_server(edge: EdgeUnderTest, family: int) -> None:
    proxy = connect(edge, family, 20_000)
    assert edge.send_tcp(proxy, (CLIENT[family], 20_000), (ACME_MX[family], 25), SYN) == {ACME}


def test_what_the_switch_has_learned_is_not_taken_for_somebody_elses(edge: EdgeUnderTest) -> None:
    (member,) = connect_often(edge, 4)
    before = learned(edge)
    assert len(before) == 1
    assert edge.apply(sticky(read_policy(DEMO))).is_empty
    assert len(learned(edge)) == 1
    assert connect_often(edge, 4, 40_000) == {member}


def test_a_flow_of_somebody_else_among_the_learned_ones_is_removed(edge: EdgeUnderTest) -> None:
    (member,) = connect_often(edge, 4)
    (cookie,) = re.findall(r"cookie=(0x[0-9a-f]+)", learned(edge)[0])
    past_the_gateways = f"cookie={cookie},priority=7,actions=output:2"
    not_ours = "cookie=0x1,priority=8,actions=load:0x2cc00000001->NXM_OF_ETH_DST[]"
    for foreign in (past_the_gateways, not_ours):
        edge.ovs.ofctl("add-flow", "s1", f"table={Table.RECALL.value},{foreign}")
    assert len(edge.apply(sticky(read_policy(DEMO))).deleted_flows) == 2
    assert connect_often(edge, 4, 40_000) == {member}


@families
def test_a_member_that_takes_no_new_sessions_loses_its_clients_at_once(
    edge: EdgeUnderTest, family: int
) -> None:
    (member,) = connect_often(edge, family)
    only(edge, NAME[other(member)])
    assert learned(edge) == []
    assert connect_often(edge, family, 40_000) == {other(member)}


@families
def test_a_client_stays_where_it_went_when_its_old_member_comes_back(
    edge: EdgeUnderTest, family: int
) -> None:
    (member,) = connect_often(edge, family)
    only(edge, NAME[other(member)])
    connect(edge, family, 40_000)
    carry_out(edge, Conditions())
    assert connect_often(edge, family, 50_000) == {other(member)}


def test_clients_of_the_others_are_not_forgotten_with_a_member(edge: EdgeUnderTest) -> None:
    homes = {last: connect(edge, 4, 20_000, f"198.51.100.{last}") for last in range(20, 60)}
    only(edge, "proxy1")
    kept = [last for last, port in homes.items() if port == PROXY1]
    assert len(learned(edge)) == len(kept)
    carry_out(edge, Conditions())
    assert {connect(edge, 4, 30_000, f"198.51.100.{last}") for last in kept} == {PROXY1}


@families
def test_a_member_whose_port_is_down_is_left_by_the_switch_alone(edge: EdgeUnderTest, family: int) -> None:
    (member,) = connect_often(edge, family)
    edge.ovs.set_port(f"s1p{member}", "down")
    assert connect_often(edge, family, 40_000) == {other(member)}


def test_a_member_whose_address_changes_is_not_sought_at_the_old_one(edge: EdgeUnderTest) -> None:
    (member,) = connect_often(edge, 4)
    policy = sticky(read_policy(DEMO))
    pools = tuple(
        replace(
            pool,
            members=tuple(
                replace(each, mac="02:cc:00:00:00:77") if each.name == NAME[member] else each
                for each in pool.members
            ),
        )
        for pool in policy.pools
    )
    carry_out(edge, Conditions(), replace(policy, pools=pools))
    assert connect_often(edge, 4, 40_000) <= {PROXY1, PROXY2}


def test_a_client_that_stays_away_is_forgotten(edge: EdgeUnderTest) -> None:
    edge.apply(sticky(read_policy(DEMO), seconds=1))
    connect(edge, 4, 20_000)
    assert len(learned(edge)) == 1
    deadline = time.monotonic() + 60
    while learned(edge):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_client_that_keeps_coming_is_not_forgotten(edge: EdgeUnderTest) -> None:
    edge.apply(sticky(read_policy(DEMO), seconds=4))
    for port in range(20_000, 20_012):
        connect(edge, 4, port)
        time.sleep(0.7)
    (line,) = learned(edge)
    (age,) = re.findall(r"duration=([0-9.]+)s", line)
    assert float(age) > 5


def test_more_clients_than_may_be_remembered_are_spread_and_not_refused(
    ovs: DummyOvs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(affinity, "MOST_CLIENTS_OF_A_MEMBER", 5)
    edge = EdgeUnderTest(ovs)
    edge.apply(sticky(read_policy(DEMO)))
    reached = {connect(edge, 4, 20_000, f"198.51.100.{last}") for last in range(20, 80)}
    assert reached == {PROXY1, PROXY2}
    assert len(learned(edge)) <= 10


def test_turning_affinity_off_leaves_nothing_behind(edge: EdgeUnderTest) -> None:
    connect_often(edge, 4)
    edge.apply(read_policy(DEMO))
    assert learned(edge) == []
