"""Decisions with real packets on a real switch: who meets a decoy, who is dropped, who passes."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from controller.compiler.decisions import Enforcement, SwitchFlows
from controller.openflow.encode import flow_to_wire
from controller.openflow.messages import meter_to_wire
from controller.policy.model import Action, Protocol
from controller.policy.parse import read_policy
from controller.suspicion.allow import Allowance
from controller.suspicion.decision import Decision, Request, Scope
from controller.sync.outcomes import PlanConfirmed
from controller.sync.plan import Plan
from tests.openflow.client import SwitchClient
from tests.ovs.dummy import DummyOvs
from tests.ovs.edge import ACME, DECOY, DEMO, GLOBEX, PROXY1, PROXY2, UPLINK, EdgeUnderTest
from tests.ovs.packets import ACK, SYN

pytestmark = pytest.mark.ovs

CLIENT = {4: "198.51.100.10", 6: "2001:db8:bb::10"}
OTHER = {4: "198.51.100.77", 6: "2001:db8:bb:1::77"}
WHOLE = {4: "198.51.100.0/24", 6: "2001:db8:bb::/48"}
ACME_MX = {4: "203.0.113.10", 6: "2001:db8:a::10"}
GLOBEX_MX = {4: "203.0.113.74", 6: "2001:db8:b::10"}
families = pytest.mark.parametrize("family", [4, 6])


class Deciding:
    """The demo's edge, and decisions on it."""

    def __init__(self, edge: EdgeUnderTest) -> None:
        self._edge = edge
        self._enforcement = Enforcement(read_policy(DEMO))
        self._number = 0

    def decide(self, source: str, action: Action, **scope: object) -> Plan:
        self._number += 1
        is_simulated = bool(scope.pop("is_simulated", False))
        request = Request(Scope(ip_network(source), **scope), action, "test", is_simulated=is_simulated)  # type: ignore[arg-type]
        return self._install(self._enforcement.of_decision(Decision(self._number, request, 0.0, 9.0))["s1"])

    def allow(self, source: str) -> Plan:
        return self._install(
            self._enforcement.of_allowance(Allowance(1, ip_network(source), "ours", 0.0))["s1"]
        )

    def _install(self, ask: SwitchFlows) -> Plan:
        plan = Plan(
            put_flows=tuple(map(flow_to_wire, ask.flows)), new_meters=tuple(map(meter_to_wire, ask.meters))
        )
        with SwitchClient(self._edge.ovs.management_socket("s1")) as client:
            assert isinstance(client.send(plan), PlanConfirmed)
        self._edge.ovs.empty_caches()
        return plan

    def to(self, source: str, server: str, port: int, source_port: int = 40_000) -> set[int]:
        return self._edge.send_tcp(UPLINK, (source, source_port), (server, port), SYN)


@pytest.fixture
def edge(ovs: DummyOvs) -> EdgeUnderTest:
    return EdgeUnderTest(ovs)


@pytest.fixture
def deciding(edge: EdgeUnderTest) -> Deciding:
    return Deciding(edge)


@families
def test_a_source_sent_to_the_decoys_meets_them_at_mail_and_web_servers_alike(
    deciding: Deciding, family: int
) -> None:
    deciding.decide(CLIENT[family], Action.DECOY)
    for server, port in ((ACME_MX, 25), (ACME_MX, 80), (GLOBEX_MX, 25), (ACME_MX, 12_345)):
        assert deciding.to(CLIENT[family], server[family], port) == {DECOY}


@families
def test_the_decoys_answer_reaches_the_attacker(deciding: Deciding, edge: EdgeUnderTest, family: int) -> None:
    deciding.decide(CLIENT[family], Action.DECOY)
    deciding.to(CLIENT[family], ACME_MX[family], 25)
    assert edge.send_tcp(DECOY, (ACME_MX[family], 25), (CLIENT[family], 40_000), SYN | ACK) == {UPLINK}


@families
def test_nobody_else_notices(deciding: Deciding, family: int) -> None:
    deciding.decide(CLIENT[family], Action.DECOY)
    assert deciding.to(OTHER[family], ACME_MX[family], 80) == {ACME}
    assert deciding.to(OTHER[family], ACME_MX[family], 25) <= {PROXY1, PROXY2}


@families
def test_a_dropped_source_reaches_nothing(deciding: Deciding, family: int) -> None:
    deciding.decide(CLIENT[family], Action.DROP)
    assert deciding.to(CLIENT[family], ACME_MX[family], 80) == set()


@families
def test_the_allow_list_wins_over_every_decision(deciding: Deciding, family: int) -> None:
    deciding.decide(CLIENT[family], Action.DROP)
    deciding.decide(CLIENT[family], Action.DECOY, tenant="acme", protocol=Protocol.TCP, port=80)
    deciding.allow(WHOLE[family])
    assert deciding.to(CLIENT[family], ACME_MX[family], 80) == {ACME}


@families
def test_the_closer_decision_holds(deciding: Deciding, family: int) -> None:
    deciding.decide(WHOLE[family], Action.DROP)
    deciding.decide(CLIENT[family], Action.DECOY)
    assert deciding.to(CLIENT[family], ACME_MX[family], 80) == {DECOY}
    assert deciding.to(OTHER[family], ACME_MX[family], 80) == set()


@families
def test_a_decision_for_one_tenant_leaves_the_others_alone(deciding: Deciding, family: int) -> None:
    deciding.decide(CLIENT[family], Action.DROP, tenant="globex")
    assert deciding.to(CLIENT[family], GLOBEX_MX[family], 25) == set()
    assert deciding.to(CLIENT[family], ACME_MX[family], 80) == {ACME}


@families
def test_a_decision_for_one_port_leaves_the_others_alone(deciding: Deciding, family: int) -> None:
    deciding.decide(CLIENT[family], Action.DECOY, protocol=Protocol.TCP, port=25)
    assert deciding.to(CLIENT[family], ACME_MX[family], 25) == {DECOY}
    assert deciding.to(CLIENT[family], ACME_MX[family], 80) == {ACME}


@families
@pytest.mark.parametrize("action", [Action.DROP, Action.DECOY, Action.LIMIT])
def test_a_simulated_decision_changes_nothing(deciding: Deciding, family: int, action: Action) -> None:
    deciding.decide(CLIENT[family], action, is_simulated=True)
    assert deciding.to(CLIENT[family], ACME_MX[family], 80) == {ACME}


@families
def test_a_watched_source_passes_and_is_counted(deciding: Deciding, edge: EdgeUnderTest, family: int) -> None:
    deciding.decide(CLIENT[family], Action.WATCH)
    assert deciding.to(CLIENT[family], ACME_MX[family], 80) == {ACME}
    flows = edge.ovs.ofctl("dump-flows", "s1", "cookie=0x9058000000000001/-1")
    assert "n_packets=1," in flows


@families
def test_an_open_connection_stays_where_it_is(deciding: Deciding, edge: EdgeUnderTest, family: int) -> None:
    assert deciding.to(CLIENT[family], ACME_MX[family], 80) == {ACME}
    edge.send_tcp(ACME, (ACME_MX[family], 80), (CLIENT[family], 40_000), SYN | ACK)
    deciding.decide(CLIENT[family], Action.DECOY)
    assert edge.send_tcp(UPLINK, (CLIENT[family], 40_000), (ACME_MX[family], 80), ACK) == {ACME}
    assert deciding.to(CLIENT[family], ACME_MX[family], 80, 40_001) == {DECOY}


def test_a_limited_source_opens_some_connections_and_the_rest_ends(
    deciding: Deciding, edge: EdgeUnderTest
) -> None:
    deciding.decide(CLIENT[4], Action.LIMIT)
    edge.ovs.appctl("time/stop")  # on a slow machine, the limit would not be reached
    reached = [deciding.to(CLIENT[4], ACME_MX[4], 80, 41_000 + number) for number in range(40)]
    assert {ACME} in reached
    assert set() in reached
    assert deciding.to(OTHER[4], ACME_MX[4], 80) == {ACME}


@families
def test_what_comes_from_a_tenant_is_nobodys_business(
    deciding: Deciding, edge: EdgeUnderTest, family: int
) -> None:
    deciding.decide({4: "203.0.113.0/26", 6: "2001:db8:a::/48"}[family], Action.DROP)
    assert edge.send_tcp(ACME, (ACME_MX[family], 5000), (CLIENT[family], 80), SYN) == {UPLINK}
    assert edge.send_tcp(ACME, (ACME_MX[family], 5000), (GLOBEX_MX[family], 25), SYN) != {GLOBEX}


def test_a_flood_at_one_tenant_is_cut_down_and_leaves_the_others_alone(edge: EdgeUnderTest) -> None:
    policy = read_policy(DEMO)
    limited = tuple(replace(each, limit_per_s=5 if each.name == "acme" else 0) for each in policy.tenants)
    edge.apply(replace(policy, tenants=limited))
    sources = [f"198.51.100.{number}" for number in range(1, 41)]
    passed = [bool(edge.send_tcp(UPLINK, (source, 5000), (ACME_MX[4], 80), SYN)) for source in sources]
    assert 0 < sum(passed) < len(sources)
    assert all(edge.send_tcp(UPLINK, (source, 5000), (GLOBEX_MX[4], 25), SYN) for source in sources)


def test_open_connections_of_a_tenant_are_not_limited(edge: EdgeUnderTest) -> None:
    policy = read_policy(DEMO)
    edge.apply(replace(policy, tenants=tuple(replace(each, limit_per_s=1) for each in policy.tenants)))
    assert edge.send_tcp(UPLINK, (CLIENT[4], 5000), (ACME_MX[4], 80), SYN) == {ACME}
    edge.send_tcp(ACME, (ACME_MX[4], 80), (CLIENT[4], 5000), SYN | ACK)
    for _ in range(20):
        assert edge.send_tcp(UPLINK, (CLIENT[4], 5000), (ACME_MX[4], 80), ACK) == {ACME}
