"""Fragments on a real switch: treated like the whole packet, and no way around the tables."""

from collections import Counter
from ipaddress import ip_network

import pytest

from controller.compiler.decisions import Enforcement
from controller.openflow.encode import flow_to_wire
from controller.policy.model import Action, Protocol
from controller.policy.parse import read_policy
from controller.suspicion.decision import Decision, Request, Scope
from controller.sync.outcomes import PlanConfirmed
from controller.sync.plan import Plan
from tests.openflow.client import SwitchClient
from tests.ovs.edge import ACME, DECOY, DEMO, EDGE_MAC, MAC_BY_PORT, UPLINK, EdgeUnderTest
from tests.ovs.packets import ACK, SYN, data_frame, fragments, tcp_frame, udp_frame

pytestmark = pytest.mark.ovs

CLIENT = {4: "198.51.100.10", 6: "2001:db8:bb::10"}
ACME_MX = {4: "203.0.113.10", 6: "2001:db8:a::10"}
GLOBEX_HOST = {4: "203.0.113.75", 6: "2001:db8:b::11"}
BIG = bytes(3_000)
ENDS = (1_400, 2_800)
families = pytest.mark.parametrize("family", [4, 6])
_SERVICES = """      dns: {protocol: udp, ports: [53], servers: [203.0.113.10, "2001:db8:a::10"]}
      ping: {protocol: icmp, servers: [203.0.113.10, "2001:db8:a::10"]}
      web: {"""


@pytest.fixture
def serving(edge: EdgeUnderTest) -> EdgeUnderTest:
    """The demo, with services of acme over UDP and ICMP."""
    policy = edge.ovs.directory / "serving.yaml"
    policy.write_text(DEMO.read_text(encoding="utf-8").replace("      web: {", _SERVICES, 1), "utf-8")
    edge.apply(read_policy(policy))
    return edge


def macs(port: int) -> tuple[str, str]:
    return MAC_BY_PORT[port], EDGE_MAC


def send_all(edge: EdgeUnderTest, port: int, frames: list[bytes]) -> dict[int, int]:
    """Send frames into a port; return how many came out, by port."""
    out: Counter[int] = Counter()
    for frame in frames:
        out.update({left: len(arrived) for left, arrived in edge.send(port, frame).items()})
    return dict(out)


def udp(port: int, source: tuple[str, int], target: tuple[str, int]) -> list[bytes]:
    return fragments(udp_frame(macs(port), source, target, BIG), *ENDS)


def segment(
    port: int, source: tuple[str, int], target: tuple[str, int], flags: int = ACK, number: int = 77
) -> list[bytes]:
    return fragments(data_frame(macs(port), (source, target), flags, 2, BIG), *ENDS, number=number)


@families
def test_a_datagram_in_fragments_reaches_the_published_service(serving: EdgeUnderTest, family: int) -> None:
    client, server = (CLIENT[family], 5000), (ACME_MX[family], 53)
    assert send_all(serving, UPLINK, udp(UPLINK, client, server)) == {ACME: 3}
    assert send_all(serving, ACME, udp(ACME, server, client)) == {UPLINK: 3}
    assert serving.send_udp(UPLINK, client, server) == {ACME}


@families
def test_a_datagram_from_another_tenant_in_fragments_is_answered(serving: EdgeUnderTest, family: int) -> None:
    client, server = (GLOBEX_HOST[family], 5000), (ACME_MX[family], 53)
    assert send_all(serving, 3, udp(3, client, server)) == {ACME: 3}
    assert send_all(serving, ACME, udp(ACME, server, client)) == {3: 3}


@families
def test_fragments_in_the_wrong_order_are_one_datagram(serving: EdgeUnderTest, family: int) -> None:
    client, server = (CLIENT[family], 5000), (ACME_MX[family], 53)
    assert send_all(serving, UPLINK, udp(UPLINK, client, server)[::-1]) == {ACME: 3}


@families
def test_a_datagram_in_fragments_to_an_unpublished_port_opens_nothing(
    serving: EdgeUnderTest, family: int
) -> None:
    client, dark = (CLIENT[family], 5000), (ACME_MX[family], 54)
    for order in (1, -1):
        # The first fragment, which has the ports, does not arrive.
        assert send_all(serving, UPLINK, udp(UPLINK, client, dark)[::order]) == {ACME: 2}
    assert serving.send_udp(UPLINK, client, dark) == {DECOY}


@families
def test_mail_in_fragments_follows_its_session_on_both_legs(edge: EdgeUnderTest, family: int) -> None:
    client, server = (CLIENT[family], 4000), (ACME_MX[family], 25)
    (proxy,) = edge.send_tcp(UPLINK, client, server, SYN)
    assert edge.send_tcp(proxy, server, client, SYN | ACK) == {UPLINK}
    assert send_all(edge, UPLINK, segment(UPLINK, client, server)) == {proxy: 3}
    assert edge.send_tcp(proxy, client, server, SYN) == {ACME}
    assert edge.send_tcp(ACME, server, client, SYN | ACK) == {proxy}
    assert send_all(edge, ACME, segment(ACME, server, client)) == {proxy: 3}


@families
def test_fragments_of_a_gateway_go_nowhere(edge: EdgeUnderTest, family: int) -> None:
    client, server = (CLIENT[family], 4000), (ACME_MX[family], 25)
    (proxy,) = edge.send_tcp(UPLINK, client, server, SYN)
    assert edge.send_tcp(proxy, client, server, SYN) == {ACME}
    for source, target in ((server, client), (client, server)):
        assert send_all(edge, proxy, segment(proxy, source, target)) == {}


@families
def test_no_connection_over_tcp_begins_with_fragments(edge: EdgeUnderTest, family: int) -> None:
    inside, outside = ACME_MX[family], CLIENT[family]
    for port, source, target in (
        (UPLINK, (outside, 4000), (inside, 25)),
        (UPLINK, (outside, 4000), (inside, 80)),
        (UPLINK, (outside, 4000), (inside, 9)),
        (ACME, (inside, 25), (outside, 4000)),
        (ACME, (inside, 4000), (outside, 80)),
    ):
        for order in (1, -1):
            assert send_all(edge, port, segment(port, source, target, SYN)[::order]) == {}


@families
def test_broken_fragments_go_nowhere(serving: EdgeUnderTest, family: int) -> None:
    client, mail, dns = (CLIENT[family], 4000), (ACME_MX[family], 25), (ACME_MX[family], 53)
    whole = data_frame(macs(UPLINK), (client, mail), SYN, 2, BIG)
    tiny = fragments(whole, 8, 1_400, 2_800, number=1)
    overlapping = [*fragments(whole, 1_400, 2_800, number=2)[:2], fragments(whole, 1_408, 2_808, number=2)[1]]
    alone = fragments(whole, 1_400, 2_800, number=3)[1:]
    first_of_udp = udp(UPLINK, client, dns)[0]
    for frames in (tiny, overlapping, alone, [first_of_udp]):
        assert send_all(serving, UPLINK, frames) == {}


@families
def test_fragments_that_were_held_do_not_leave_with_the_packets_of_others(
    serving: EdgeUnderTest, family: int
) -> None:
    client, mail = (CLIENT[family], 6666), (ACME_MX[family], 25)
    serving.ovs.appctl("time/stop")
    for number in range(8):
        first, _, last = segment(UPLINK, client, mail, SYN, number)
        assert send_all(serving, UPLINK, [first, last]) == {}
    for _ in range(20):
        serving.ovs.appctl("time/warp", "1000")
    for number in range(8):
        web = tcp_frame(macs(UPLINK), (CLIENT[family], 7000 + number), (ACME_MX[family], 80), SYN)
        assert send_all(serving, UPLINK, [web]) == {ACME: 1}


@families
def test_a_decoys_forged_answer_does_not_leave_with_the_packets_of_the_backbone(
    edge: EdgeUnderTest, family: int
) -> None:
    inside, resolver = (ACME_MX[family], 5353), (CLIENT[family], 53)
    assert edge.send_udp(ACME, inside, resolver) == {UPLINK}
    forged = udp_frame(macs(DECOY), resolver, inside, bytes(60_000))
    for number in (1, 2):
        # More fragments than the switch hands on at once.
        assert send_all(edge, DECOY, fragments(forged, *range(1_240, 60_000, 1_240), number=number)) == {}
    answer = udp_frame(macs(UPLINK), resolver, inside)
    for _ in range(3):
        assert send_all(edge, UPLINK, [answer]) == {ACME: 1}


@families
@pytest.mark.parametrize("port", [0, 53], ids=["any port", "this port"])
@pytest.mark.parametrize("action", [Action.DECOY, Action.DROP])
def test_a_source_under_a_decision_opens_nothing_with_fragments(
    serving: EdgeUnderTest, family: int, port: int, action: Action
) -> None:
    client, server = (CLIENT[family], 5000), (ACME_MX[family], 53)
    request = Request(Scope(ip_network(CLIENT[family]), protocol=Protocol.UDP, port=port), action, "test")
    flows = Enforcement(read_policy(DEMO)).of_decision(Decision(1, request, 0.0, 9.0))["s1"].flows
    with SwitchClient(serving.ovs.management_socket("s1")) as switch:
        assert isinstance(switch.send(Plan(put_flows=tuple(map(flow_to_wire, flows)))), PlanConfirmed)
    serving.ovs.empty_caches()
    for order in (1, -1):
        assert send_all(serving, UPLINK, udp(UPLINK, client, server)[::order]).get(ACME, 0) < 3
    assert serving.send_udp(UPLINK, client, server) == ({DECOY} if action is Action.DECOY else set())
