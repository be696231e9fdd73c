"""Clients of anti-virus servers on a real switch: translated, told apart by tenant, and led nowhere else."""

import pytest
from ryu.lib.packet import tcp

from controller.policy.parse import read_policy
from tests.ovs.edge import (
    ACME,
    AV1,
    AV2,
    DEMO,
    EDGE_MAC,
    GLOBEX,
    MAC_BY_PORT,
    PROXY1,
    SCANNER1,
    UPLINK,
    EdgeUnderTest,
    macs_of,
)
from tests.ovs.packets import ACK, SYN

pytestmark = pytest.mark.ovs

SERVERS = {AV1, AV2}
SEEN_AS = {ACME: "192.0.2.201", GLOBEX: "192.0.2.202"}
VIP = ("192.0.2.120", 80)
PRIVATE = ("10.0.0.5", 40_000)
PUBLIC6, VIP6 = ("2001:db8:a::20", 40_000), ("2001:db8:e::120", 80)


End = tuple[str, int]


def ends(edge: EdgeUnderTest, port: int, source: End, target: End, flags: int) -> tuple[End, End]:
    """Return (source, target) of the one segment that leaves."""
    frame = edge.reply_frame(port, source, target, flags)
    network, segment = frame.protocols[1], frame.get_protocol(tcp.tcp)
    return (network.src, segment.src_port), (network.dst, segment.dst_port)


def test_a_server_sees_the_tenants_address_and_the_client_sees_the_servers(edge: EdgeUnderTest) -> None:
    (server,) = SERVERS & edge.send_tcp(ACME, PRIVATE, VIP, SYN)
    seen = (SEEN_AS[ACME], PRIVATE[1])
    assert ends(edge, server, VIP, seen, SYN | ACK) == (VIP, PRIVATE)
    assert ends(edge, ACME, PRIVATE, VIP, ACK) == (seen, VIP)


def test_an_answer_goes_to_the_gateway_that_the_client_is_behind(edge: EdgeUnderTest) -> None:
    (server,) = edge.send_tcp(ACME, PRIVATE, VIP, SYN)
    frame = edge.reply_frame(server, VIP, (SEEN_AS[ACME], PRIVATE[1]), SYN | ACK)
    assert macs_of(frame) == (EDGE_MAC, MAC_BY_PORT[ACME])


def test_one_private_address_in_two_intranets_is_two_clients(edge: EdgeUnderTest) -> None:
    servers = {tenant: edge.send_tcp(tenant, PRIVATE, VIP, SYN) for tenant in SEEN_AS}
    for tenant, (server,) in servers.items():
        frame = edge.reply_frame(server, VIP, (SEEN_AS[tenant], PRIVATE[1]), SYN | ACK)
        assert macs_of(frame)[1] == MAC_BY_PORT[tenant]
        assert ends(edge, tenant, PRIVATE, VIP, ACK) == ((SEEN_AS[tenant], PRIVATE[1]), VIP)


def test_two_clients_with_one_port_are_told_apart_by_another_port(edge: EdgeUnderTest) -> None:
    seen = {ends(edge, ACME, (f"10.0.0.{last}", 40_000), VIP, SYN) for last in (5, 6)}
    assert len(seen) == 2
    assert {source[0] for source, _ in seen} == {SEEN_AS[ACME]}


def test_public_and_ipv6_addresses_are_translated_too(edge: EdgeUnderTest) -> None:
    assert ends(edge, ACME, ("203.0.113.20", 4_000), VIP, SYN) == ((SEEN_AS[ACME], 4_000), VIP)
    (server,) = edge.send_tcp(ACME, PUBLIC6, VIP6, SYN)
    assert ends(edge, server, VIP6, ("2001:db8:e::201", PUBLIC6[1]), SYN | ACK) == (VIP6, PUBLIC6)


def test_new_clients_are_spread_over_the_servers(edge: EdgeUnderTest) -> None:
    met = [edge.send_tcp(ACME, ("10.0.0.5", port), VIP, SYN) for port in range(2_000, 2_040)]
    assert {AV1} in met and {AV2} in met


def test_new_clients_avoid_a_server_whose_port_is_down(edge: EdgeUnderTest) -> None:
    edge.ovs.ofctl("mod-port", "s1", str(AV1), "down")
    edge.ovs.await_port(f"s1p{AV1}", "PORT_DOWN", is_so=True)
    met = [edge.send_tcp(ACME, ("10.0.0.5", port), VIP, SYN) for port in range(2_000, 2_020)]
    assert set().union(*met) == {AV2}


@pytest.mark.parametrize(
    ("port", "source", "target"),
    [
        (ACME, PRIVATE, ("192.0.2.120", 22)),
        (ACME, PRIVATE, ("192.0.2.51", 80)),
        (ACME, PRIVATE, ("203.0.113.74", 25)),
        (ACME, PRIVATE, ("198.51.100.10", 80)),
        (ACME, ("10.9.9.9", 40_000), VIP),
        (ACME, ("192.0.2.201", 40_000), VIP),
        (UPLINK, ("198.51.100.10", 40_000), VIP),
        (UPLINK, ("192.0.2.201", 40_000), VIP),
        (UPLINK, ("198.51.100.10", 40_000), ("192.0.2.201", 40_000)),
        (PROXY1, ("192.0.2.11", 40_000), VIP),
        (AV1, ("192.0.2.51", 40_000), ("198.51.100.10", 80)),
        (AV1, VIP, ("192.0.2.201", 40_000)),
        (AV1, VIP, ("192.0.2.21", 40_000)),
        (AV1, ("192.0.2.51", 40_000), ("203.0.113.20", 80)),
    ],
    ids=[
        "another port",
        "a server itself",
        "another tenant",
        "the backbone from a private address",
        "from an address that is no client's",
        "from the tenant's own seat",
        "from the backbone",
        "from the backbone as a tenant",
        "from the backbone to where servers answer",
        "from a proxy",
        "a server begins outside",
        "a server begins to a tenant",
        "a server begins to a scanner",
        "a server begins to a client",
    ],
)
def test_nothing_else_is_reached(
    edge: EdgeUnderTest, port: int, source: tuple[str, int], target: tuple[str, int]
) -> None:
    assert edge.send_tcp(port, source, target, SYN) & (SERVERS | set(SEEN_AS) | {SCANNER1, UPLINK}) == set()


def test_a_scanner_asks_under_its_own_address(edge: EdgeUnderTest) -> None:
    scanner = ("192.0.2.21", 40_000)
    (server,) = SERVERS & edge.send_tcp(SCANNER1, scanner, VIP, SYN)
    assert ends(edge, server, VIP, scanner, SYN | ACK) == (VIP, scanner)
    assert edge.send_tcp(SCANNER1, scanner, VIP, ACK) == {server}


def test_a_client_that_has_begun_keeps_its_server_when_its_tenant_is_edited(edge: EdgeUnderTest) -> None:
    (server,) = edge.send_tcp(ACME, PRIVATE, VIP, SYN)
    text = DEMO.read_text(encoding="utf-8").replace("ports: [80]", "ports: [8080]")
    edited = edge.ovs.directory / "edited.yaml"
    edited.write_text(text, encoding="utf-8")
    edge.apply(read_policy(edited))
    assert edge.send_tcp(ACME, PRIVATE, VIP, ACK) == {server}
