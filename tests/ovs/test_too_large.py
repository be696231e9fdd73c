"""Routers report that a packet is too large, also from private addresses: on a real switch."""

import pytest

from tests.ovs.edge import ACME, EDGE_MAC, GLOBEX, MAC_BY_PORT, PROXY1, PROXY2, UPLINK, EdgeUnderTest
from tests.ovs.packets import ACK, SYN, tcp_frame, udp_frame

pytestmark = pytest.mark.ovs

CLIENT = {4: "198.51.100.10", 6: "2001:db8:bb::10"}
ACME_MX = {4: "203.0.113.10", 6: "2001:db8:a::10"}
ACME_DARK = {4: "203.0.113.21", 6: "2001:db8:a::21"}
GLOBEX_MX = {4: "203.0.113.74", 6: "2001:db8:b::10"}
TOO_LARGE = {4: (3, 4), 6: (2, 0)}
OTHER_ERRORS = {4: [(3, 1), (3, 3), (11, 0)], 6: [(1, 0), (1, 4), (3, 0), (4, 0)]}
PRIVATE = {
    4: ["10.20.30.1", "172.16.3.1", "192.168.1.1", "100.64.0.2"],
    6: ["fd00:1::1", "fc00:1::1"],
}
NEVER = {4: ["127.0.0.1", "169.254.1.1", "224.0.0.1", "0.1.2.3"], 6: ["fe80::1", "::1", "ff02::1"]}
families = pytest.mark.parametrize("family", [4, 6])


def sent(edge: EdgeUnderTest, port: int, source: tuple[str, int], target: tuple[str, int]) -> bytes:
    """Send a first segment; return it, as a router on the way would quote it."""
    frame = tcp_frame((MAC_BY_PORT[port], EDGE_MAC), source, target, SYN)
    assert edge.send(port, frame)
    return frame


@families
def test_a_router_inside_reports_to_the_proxy_whose_mail_is_too_large(
    edge: EdgeUnderTest, family: int
) -> None:
    client, server = (CLIENT[family], 40_000), (ACME_MX[family], 25)
    relayed = sent(edge, PROXY1, client, server)
    for router in (*PRIVATE[family], ACME_MX[family]):
        assert edge.send_error(ACME, router, TOO_LARGE[family], relayed) == {PROXY1}


@families
def test_a_router_inside_reports_to_an_outside_client_of_a_published_service(
    edge: EdgeUnderTest, family: int
) -> None:
    request = sent(edge, UPLINK, (CLIENT[family], 40_000), (ACME_MX[family], 80))
    for router in PRIVATE[family]:
        assert edge.send_error(ACME, router, TOO_LARGE[family], request) == {UPLINK}


@families
def test_a_router_outside_reports_to_the_gateway_whose_answer_is_too_large(
    edge: EdgeUnderTest, family: int
) -> None:
    client, server = (CLIENT[family], 40_000), (ACME_MX[family], 25)
    (proxy,) = edge.send_tcp(UPLINK, client, server, SYN)
    answer = tcp_frame((MAC_BY_PORT[proxy], EDGE_MAC), server, client, SYN | ACK)
    assert set(edge.send(proxy, answer)) == {UPLINK}
    for router in PRIVATE[family]:
        assert edge.send_error(UPLINK, router, TOO_LARGE[family], answer) == {proxy}
    assert proxy in (PROXY1, PROXY2)


@families
def test_a_report_about_no_known_connection_goes_nowhere(edge: EdgeUnderTest, family: int) -> None:
    for target in ((ACME_MX[family], 25), (ACME_MX[family], 80), (ACME_DARK[family], 23)):
        for port, source in ((UPLINK, target), (ACME, (CLIENT[family], 1))):
            frame = udp_frame((EDGE_MAC, EDGE_MAC), source, (CLIENT[family], 77))
            for router in (*PRIVATE[family], CLIENT[family]):
                assert edge.send_error(port, router, TOO_LARGE[family], frame) == set()


@families
@pytest.mark.parametrize("port", [ACME, UPLINK], ids=["inside", "outside"])
def test_no_other_error_passes_from_a_private_address(edge: EdgeUnderTest, family: int, port: int) -> None:
    inside, outside = (ACME_MX[family], 40_000), (CLIENT[family], 80)
    if port == UPLINK:
        about = sent(edge, ACME, inside, outside)
    else:
        about = sent(edge, UPLINK, outside, (ACME_MX[family], 80))
    for kind in OTHER_ERRORS[family]:
        assert edge.send_error(port, PRIVATE[family][0], kind, about) == set()


@families
def test_no_report_passes_from_an_address_that_no_router_has(edge: EdgeUnderTest, family: int) -> None:
    request = sent(edge, UPLINK, (CLIENT[family], 40_000), (ACME_MX[family], 80))
    for forged in (*NEVER[family], GLOBEX_MX[family], CLIENT[family]):
        assert edge.send_error(ACME, forged, TOO_LARGE[family], request) == set()
    opened = sent(edge, ACME, (ACME_MX[family], 40_001), (CLIENT[family], 80))
    for forged in (*NEVER[family], GLOBEX_MX[family]):
        assert edge.send_error(UPLINK, forged, TOO_LARGE[family], opened) == set()


@families
def test_nothing_else_passes_from_a_private_address(edge: EdgeUnderTest, family: int) -> None:
    for router in PRIVATE[family]:
        assert edge.send_tcp(ACME, (router, 40_000), (CLIENT[family], 80), SYN) == set()
        assert edge.send_udp(GLOBEX, (router, 40_000), (CLIENT[family], 53)) == set()
        assert edge.send_tcp(UPLINK, (router, 40_000), (ACME_MX[family], 80), SYN) == set()
