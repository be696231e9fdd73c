"""The pipeline with real packets on a real switch."""

import itertools
from dataclasses import replace

import pytest
from ryu.lib.packet import arp, icmpv6, ipv4, tcp

from controller.policy.model import Dark
from controller.policy.parse import read_policy
from tests.ovs.edge import (
    ACME,
    DECOY,
    DEMO,
    EDGE_MAC,
    GLOBEX,
    MAC_BY_PORT,
    PROXY1,
    PROXY2,
    SCANNER1,
    SCANNER2,
    UPLINK,
    EdgeUnderTest,
    macs_of,
)
from tests.ovs.packets import ACK, SYN, arp_request, neighbour_solicitation, tcp_frame

pytestmark = pytest.mark.ovs

CLIENT = {4: "198.51.100.10", 6: "2001:db8:bb::10"}
ACME_MX = {4: "203.0.113.10", 6: "2001:db8:a::10"}
GLOBEX_MX = {4: "203.0.113.74", 6: "2001:db8:b::10"}
SCANNER_VIP = {4: "192.0.2.100", 6: "2001:db8:e::100"}
DECOY_ADDRESS = {4: "192.0.2.41", 6: "2001:db8:e::41"}
PROXY1_ADDRESS = {4: "192.0.2.11", 6: "2001:db8:e::11"}
families = pytest.mark.parametrize("family", [4, 6])


@families
def test_mail_from_the_backbone_reaches_a_proxy(edge: EdgeUnderTest, family: int) -> None:
    out = edge.send_tcp(UPLINK, (CLIENT[family], 40000), (ACME_MX[family], 25), SYN)
    assert out in ({PROXY1}, {PROXY2})


@families
def test_mail_for_a_tenant_in_direct_mode_reaches_a_scanner(edge: EdgeUnderTest, family: int) -> None:
    out = edge.send_tcp(UPLINK, (CLIENT[family], 40000), (GLOBEX_MX[family], 25), SYN)
    assert out in ({SCANNER1}, {SCANNER2})


@families
def test_addresses_and_ports_are_never_rewritten(edge: EdgeUnderTest, family: int) -> None:
    frame = edge.reply_frame(UPLINK, (CLIENT[family], 40001), (ACME_MX[family], 25), SYN)
    network = frame.protocols[1]
    segment = frame.get_protocol(tcp.tcp)
    assert (network.src, network.dst) == (CLIENT[family], ACME_MX[family])
    assert (segment.src_port, segment.dst_port) == (40001, 25)


def test_a_routed_packet_lives_one_hop_shorter(edge: EdgeUnderTest) -> None:
    frame = edge.reply_frame(UPLINK, (CLIENT[4], 40001), (ACME_MX[4], 25), SYN)
    assert frame.get_protocol(ipv4.ipv4).ttl == 63


@families
def test_a_proxys_reply_goes_back_to_the_client(edge: EdgeUnderTest, family: int) -> None:
    client, server = (CLIENT[family], 40000), (ACME_MX[family], 25)
    (proxy,) = edge.send_tcp(UPLINK, client, server, SYN)
    frame = edge.reply_frame(proxy, server, client, SYN | ACK)
    assert macs_of(frame) == (EDGE_MAC, MAC_BY_PORT[UPLINK])


@families
def test_both_legs_of_one_4_tuple_live_side_by_side(edge: EdgeUnderTest, family: int) -> None:
    client, server = (CLIENT[family], 40000), (ACME_MX[family], 25)
    (proxy,) = edge.send_tcp(UPLINK, client, server, SYN)
    assert edge.send_tcp(proxy, client, server, SYN) == {ACME}
    assert edge.send_tcp(ACME, server, client, SYN | ACK) == {proxy}
    assert edge.send_tcp(proxy, server, client, SYN | ACK) == {UPLINK}
    assert edge.send_tcp(UPLINK, client, server, ACK) == {proxy}
    assert edge.send_tcp(proxy, client, server, ACK) == {ACME}


@families
def test_the_other_proxy_does_not_get_the_answer_of_a_relay(edge: EdgeUnderTest, family: int) -> None:
    server = (ACME_MX[family], 25)
    assert edge.send_tcp(PROXY1, (CLIENT[family], 1111), server, SYN) == {ACME}
    assert edge.send_tcp(PROXY2, (CLIENT[family], 2222), server, SYN) == {ACME}
    assert edge.send_tcp(ACME, server, (CLIENT[family], 1111), SYN | ACK) == {PROXY1}
    assert edge.send_tcp(ACME, server, (CLIENT[family], 2222), SYN | ACK) == {PROXY2}


@families
def test_a_proxy_reaches_a_scanner_and_gets_its_answer(edge: EdgeUnderTest, family: int) -> None:
    proxy, vip = (PROXY1_ADDRESS[family], 50000), (SCANNER_VIP[family], 3310)
    (scanner,) = edge.send_tcp(PROXY1, proxy, vip, SYN)
    assert scanner in (SCANNER1, SCANNER2)
    assert edge.send_tcp(scanner, vip, proxy, SYN | ACK) == {PROXY1}


@families
def test_both_members_of_a_pool_are_used(edge: EdgeUnderTest, family: int) -> None:
    used = {
        port
        for number in range(64)
        for port in edge.send_tcp(UPLINK, (CLIENT[family], 30000 + number), (ACME_MX[family], 25), SYN)
    }
    assert used == {PROXY1, PROXY2}


@families
def test_no_port_but_a_gateways_leads_to_a_tenants_port_25(edge: EdgeUnderTest, family: int) -> None:
    sources = (CLIENT[family], GLOBEX_MX[family], ACME_MX[family], PROXY1_ADDRESS[family])
    for (port, source), flags in itertools.product(itertools.product(MAC_BY_PORT, sources), (SYN, ACK)):
        if port in (PROXY1, PROXY2, ACME):
            continue
        out = edge.send_tcp(port, (source, 45000 + port), (ACME_MX[family], 25), flags)
        assert ACME not in out, f"port {port} as {source} reached the server"


@families
def test_a_proxy_reaches_only_tenants_it_serves(edge: EdgeUnderTest, family: int) -> None:
    assert edge.send_tcp(PROXY1, (CLIENT[family], 1111), (GLOBEX_MX[family], 25), SYN) == set()


@families
def test_a_proxy_reaches_no_other_port_of_a_server(edge: EdgeUnderTest, family: int) -> None:
    assert edge.send_tcp(PROXY1, (CLIENT[family], 1111), (ACME_MX[family], 23), SYN) == set()


@families
def test_a_proxy_opens_nothing_to_the_backbone(edge: EdgeUnderTest, family: int) -> None:
    assert edge.send_tcp(PROXY1, (PROXY1_ADDRESS[family], 1111), (CLIENT[family], 80), SYN) == set()


@families
def test_a_port_that_is_not_published_is_answered_by_a_decoy(edge: EdgeUnderTest, family: int) -> None:
    assert edge.send_tcp(UPLINK, (CLIENT[family], 1111), (ACME_MX[family], 23), SYN) == {DECOY}
    assert edge.send_tcp(DECOY, (ACME_MX[family], 23), (CLIENT[family], 1111), SYN | ACK) == {UPLINK}


@families
def test_a_decoy_begins_nothing_whatever_it_claims_to_be(edge: EdgeUnderTest, family: int) -> None:
    inside, outside = ACME_MX[family], CLIENT[family]
    for source, destination in ((inside, outside), (outside, inside), (DECOY_ADDRESS[family], inside)):
        for port in (22, 25, 80, 3310):
            assert edge.send_tcp(DECOY, (source, 1111), (destination, port), SYN) == set()


@families
def test_a_tenant_whose_dark_space_is_dropped_has_no_decoys_there(edge: EdgeUnderTest, family: int) -> None:
    policy = read_policy(DEMO)
    edge.apply(replace(policy, tenants=tuple(replace(each, dark=Dark.DROP) for each in policy.tenants)))
    assert edge.send_tcp(UPLINK, (CLIENT[family], 1111), (ACME_MX[family], 23), SYN) == set()


@families
def test_a_published_service_is_reached_straight(edge: EdgeUnderTest, family: int) -> None:
    client, web = (CLIENT[family], 1111), (ACME_MX[family], 80)
    assert edge.send_tcp(UPLINK, client, web, SYN) == {ACME}
    assert edge.send_tcp(ACME, web, client, SYN | ACK) == {UPLINK}


@families
def test_a_tenant_opens_connections_outside_and_gets_answers(edge: EdgeUnderTest, family: int) -> None:
    inside, outside = (ACME_MX[family], 39000), (CLIENT[family], 25)
    assert edge.send_tcp(ACME, inside, outside, SYN) == {UPLINK}
    assert edge.send_tcp(UPLINK, outside, inside, SYN | ACK) == {ACME}


@families
def test_mail_between_tenants_is_scanned_too(edge: EdgeUnderTest, family: int) -> None:
    sender, server = (GLOBEX_MX[family], 39000), (ACME_MX[family], 25)
    (proxy,) = edge.send_tcp(GLOBEX, sender, server, SYN)
    assert proxy in (PROXY1, PROXY2)
    assert edge.send_tcp(proxy, server, sender, SYN | ACK) == {GLOBEX}
    assert edge.send_tcp(proxy, sender, server, SYN) == {ACME}
    assert edge.send_tcp(ACME, server, sender, SYN | ACK) == {proxy}


@families
def test_nobody_but_proxies_reaches_clamd(edge: EdgeUnderTest, family: int) -> None:
    for port, source in ((UPLINK, CLIENT), (ACME, ACME_MX), (GLOBEX, GLOBEX_MX)):
        assert edge.send_tcp(port, (source[family], 1111), (SCANNER_VIP[family], 3310), SYN) == set()


@families
def test_the_backbone_cannot_speak_as_a_tenant(edge: EdgeUnderTest, family: int) -> None:
    assert edge.send_tcp(UPLINK, (GLOBEX_MX[family], 1111), (ACME_MX[family], 25), SYN) == set()


@families
def test_a_tenant_cannot_speak_as_somebody_else(edge: EdgeUnderTest, family: int) -> None:
    assert edge.send_tcp(GLOBEX, (CLIENT[family], 1111), (ACME_MX[family], 25), SYN) == set()


def test_a_stranger_on_a_known_port_gets_nowhere(edge: EdgeUnderTest) -> None:
    frame = tcp_frame(("02:ee:00:00:00:99", EDGE_MAC), (CLIENT[4], 1111), (ACME_MX[4], 25), SYN)
    assert edge.send(UPLINK, frame) == {}


def test_arp_for_the_edge_is_answered_by_the_switch(edge: EdgeUnderTest) -> None:
    arrived = edge.send(UPLINK, arp_request(MAC_BY_PORT[UPLINK], "100.64.0.2", "100.64.0.1"))
    answer = arrived[UPLINK][0].get_protocol(arp.arp)
    assert (answer.opcode, answer.src_mac, answer.src_ip) == (arp.ARP_REPLY, EDGE_MAC, "100.64.0.1")
    assert (answer.dst_mac, answer.dst_ip) == (MAC_BY_PORT[UPLINK], "100.64.0.2")


def test_arp_for_anybody_else_is_not_answered(edge: EdgeUnderTest) -> None:
    assert edge.send(UPLINK, arp_request(MAC_BY_PORT[UPLINK], "100.64.0.2", "203.0.113.10")) == {}


def test_a_neighbour_solicitation_is_answered_by_the_switch(edge: EdgeUnderTest) -> None:
    mac = MAC_BY_PORT[UPLINK]
    arrived = edge.send(UPLINK, neighbour_solicitation(mac, "2001:db8:64::2", "2001:db8:64::1"))
    (frame,) = arrived[UPLINK]
    answer = frame.get_protocol(icmpv6.icmpv6)
    assert answer.type_ == icmpv6.ND_NEIGHBOR_ADVERT
    assert answer.data.dst == "2001:db8:64::1"
    assert answer.data.option.hw_src == EDGE_MAC
    assert macs_of(frame) == (EDGE_MAC, mac)


@families
def test_a_late_answer_of_a_forgotten_session_does_not_stall_a_client_that_uses_its_port_again(
    edge: EdgeUnderTest, family: int
) -> None:
    client, server = (CLIENT[family], 40000), (ACME_MX[family], 25)
    (proxy,) = edge.send_tcp(UPLINK, client, server, SYN)
    # A proxy that still remembers the client's last session acknowledges that one (RFC 9293, 3.10.7.4),
    # and conntrack takes its numbers for the new session's.
    edge.send(proxy, tcp_frame((MAC_BY_PORT[proxy], EDGE_MAC), server, client, ACK, sequence=7_000_000))
    answer = tcp_frame((MAC_BY_PORT[proxy], EDGE_MAC), server, client, SYN | ACK, sequence=900_000_000)
    assert set(edge.send(proxy, answer)) == {UPLINK}
