"""Hosts of pools speak only in sessions of their own: forged frames on a real switch."""

import pytest

from tests.ovs.edge import (
    ACME,
    AV1,
    AV2,
    DECOY,
    EDGE_MAC,
    GLOBEX,
    MAC_BY_PORT,
    PROXY1,
    PROXY2,
    RESPONDER,
    SCANNER1,
    SCANNER2,
    UPLINK,
    EdgeUnderTest,
)
from tests.ovs.packets import ACK, RST, SYN, udp_frame

pytestmark = pytest.mark.ovs

CLIENT = {4: "198.51.100.10", 6: "2001:db8:bb::10"}
ACME_MX = {4: "203.0.113.10", 6: "2001:db8:a::10"}
ACME_HOST = {4: "203.0.113.20", 6: "2001:db8:a::20"}
ACME_DARK = {4: "203.0.113.21", 6: "2001:db8:a::21"}
SCANNER_VIP = {4: "192.0.2.100", 6: "2001:db8:e::100"}
PROXY_ADDRESSES = {4: ("192.0.2.11", "192.0.2.12"), 6: ("2001:db8:e::11", "2001:db8:e::12")}
AV_VIP = {4: "192.0.2.120", 6: "2001:db8:e::120"}
UNREACHABLE = {4: (3, 3), 6: (1, 4)}
families = pytest.mark.parametrize("family", [4, 6])
pool_hosts = pytest.mark.parametrize(
    "host",
    [PROXY1, PROXY2, SCANNER1, SCANNER2, RESPONDER, DECOY, AV1, AV2],
    ids=["proxy1", "proxy2", "scanner1", "scanner2", "responder", "decoy", "av1", "av2"],
)


@families
@pool_hosts
def test_a_pool_host_forges_no_udp_answer_to_a_tenant(edge: EdgeUnderTest, family: int, host: int) -> None:
    inside, resolver = (ACME_MX[family], 5353), (CLIENT[family], 53)
    assert edge.send_udp(ACME, inside, resolver) == {UPLINK}
    assert edge.send_udp(host, resolver, inside) == set()
    assert edge.send_udp(UPLINK, resolver, inside) == {ACME}


@families
@pool_hosts
def test_a_pool_host_forges_no_tcp_answer_to_a_tenant(edge: EdgeUnderTest, family: int, host: int) -> None:
    for own_port, port in ((39_001, 443), (39_002, 25)):
        inside, outside = (ACME_MX[family], own_port), (CLIENT[family], port)
        assert edge.send_tcp(ACME, inside, outside, SYN) == {UPLINK}
        assert edge.send_tcp(host, outside, inside, SYN | ACK) == set()
        assert edge.send_tcp(UPLINK, outside, inside, SYN | ACK) == {ACME}


@families
@pytest.mark.parametrize("flags", [SYN, ACK, SYN | RST], ids=["SYN", "ACK", "invalid"])
def test_a_gateway_does_not_repeat_the_relay_leg_of_another(
    edge: EdgeUnderTest, family: int, flags: int
) -> None:
    client, server = (CLIENT[family], 1111), (ACME_MX[family], 25)
    assert edge.send_tcp(PROXY1, client, server, SYN) == {ACME}
    for other in (SCANNER1, SCANNER2, PROXY2):
        assert edge.send_tcp(other, client, server, flags) == set()
    assert edge.send_tcp(PROXY1, client, server, SYN) == {ACME}


@families
def test_a_proxy_does_not_fake_a_verdict_to_another_proxy(edge: EdgeUnderTest, family: int) -> None:
    _, other = PROXY_ADDRESSES[family]
    proxy2, vip = (other, 50_000), (SCANNER_VIP[family], 3310)
    (scanner,) = edge.send_tcp(PROXY2, proxy2, vip, SYN)
    for forger in {PROXY1, SCANNER1, SCANNER2} - {scanner}:
        assert edge.send_tcp(forger, vip, proxy2, SYN | ACK) == set()
    assert edge.send_tcp(scanner, vip, proxy2, SYN | ACK) == {PROXY2}


@families
def test_the_proxy_that_answers_a_client_is_the_only_one_that_does(edge: EdgeUnderTest, family: int) -> None:
    client, server = (CLIENT[family], 40_000), (ACME_MX[family], 25)
    (proxy,) = edge.send_tcp(UPLINK, client, server, SYN)
    for other in {PROXY1, PROXY2, SCANNER1, RESPONDER, DECOY} - {proxy}:
        assert edge.send_tcp(other, server, client, SYN | ACK) == set()
    assert edge.send_tcp(proxy, server, client, SYN | ACK) == {UPLINK}


@families
@pytest.mark.parametrize("flags", [SYN, ACK, SYN | RST], ids=["SYN", "ACK", "invalid"])
def test_a_decoy_that_repeats_an_intruders_packet_reaches_no_dark_port_25(
    edge: EdgeUnderTest, family: int, flags: int
) -> None:
    inside, dark = (ACME_HOST[family], 4000), (ACME_DARK[family], 25)
    assert edge.send_tcp(ACME, inside, dark, SYN) == {DECOY}
    assert edge.send_tcp(DECOY, inside, dark, flags) == set()
    assert edge.send_tcp(DECOY, dark, inside, SYN | ACK) == {ACME}


@families
def test_an_invalid_packet_of_a_decoy_reaches_the_backbone(edge: EdgeUnderTest, family: int) -> None:
    client, dark = (CLIENT[family], 4000), (ACME_DARK[family], 23)
    assert edge.send_tcp(UPLINK, client, dark, SYN) == {DECOY}
    assert edge.send_tcp(DECOY, dark, client, SYN | RST) == {UPLINK}


@families
def test_an_invalid_packet_of_a_gateway_follows_its_own_relay_leg(edge: EdgeUnderTest, family: int) -> None:
    client, server = (CLIENT[family], 1111), (ACME_MX[family], 25)
    assert edge.send_tcp(PROXY1, client, server, SYN) == {ACME}
    assert edge.send_tcp(PROXY1, client, server, SYN | RST) == {ACME}
    assert edge.send_tcp(ACME, server, client, SYN | RST) == {PROXY1}


@pytest.mark.parametrize(
    ("family", "inside", "seen_as"), [(4, "10.0.0.5", "192.0.2.201"), (6, ACME_HOST[6], "2001:db8:e::201")]
)
def test_an_antivirus_server_answers_to_no_port_25(
    edge: EdgeUnderTest, family: int, inside: str, seen_as: str
) -> None:
    vip = (AV_VIP[family], 80)
    assert edge.send_tcp(ACME, (inside, 25), vip, SYN) == set()
    for server in (AV1, AV2):
        assert edge.send_tcp(server, vip, (seen_as, 25), SYN | ACK) == set()


@families
@pool_hosts
def test_a_pool_host_sends_no_error_about_a_session_that_is_not_its_own(
    edge: EdgeUnderTest, family: int, host: int
) -> None:
    inside, outside = (ACME_MX[family], 5353), (CLIENT[family], 53)
    sent = udp_frame((MAC_BY_PORT[ACME], EDGE_MAC), inside, outside)
    assert set(edge.send(ACME, sent)) == {UPLINK}
    assert edge.send_error(host, CLIENT[family], UNREACHABLE[family], sent) == set()
    assert edge.send_error(UPLINK, CLIENT[family], UNREACHABLE[family], sent) == {ACME}


@families
def test_a_decoy_sends_errors_about_its_own_session(edge: EdgeUnderTest, family: int) -> None:
    client, dark = (CLIENT[family], 4000), (ACME_DARK[family], 161)
    sent = udp_frame((MAC_BY_PORT[UPLINK], EDGE_MAC), client, dark)
    assert set(edge.send(UPLINK, sent)) == {DECOY}
    assert edge.send_error(DECOY, ACME_DARK[family], UNREACHABLE[family], sent) == {UPLINK}


@families
def test_a_decoy_sends_no_error_towards_itself_to_whoever_it_answers(
    edge: EdgeUnderTest, family: int
) -> None:
    client, dark = (ACME_HOST[family], 4000), (ACME_DARK[family], 161)
    assert edge.send_udp(ACME, client, dark) == {DECOY}
    answer = udp_frame((MAC_BY_PORT[DECOY], EDGE_MAC), dark, client)
    assert set(edge.send(DECOY, answer)) == {ACME}
    assert edge.send_error(DECOY, client[0], UNREACHABLE[family], answer) == set()
    assert edge.send_error(GLOBEX, client[0], UNREACHABLE[family], answer) == set()
