"""No packet from any port of the edge reaches a tenant's mail server but through its gateways.

Every combination of port, MACs, source address and flags is sent as a real
frame, and the wire of each mail server is watched. What arrives must be exactly
what its own gateways sent: so the watch is proved to see.
"""

import subprocess
from itertools import count, product

import pytest

from controller.policy.model import Policy, Pool
from lab import probes
from lab.frames import ACK, FIN, SYN, Eye, Segment, send
from lab.lab import Lab
from lab.network import Network

pytestmark = pytest.mark.lab

_SOURCES4 = (
    "198.51.100.10",
    "203.0.113.20",
    "203.0.113.84",
    "192.0.2.11",
    "192.0.2.100",
    "100.64.0.1",
    "10.1.2.3",
)
_SOURCES6 = (
    "2001:db8:bb::10",
    "2001:db8:a::20",
    "2001:db8:b::20",
    "2001:db8:e::21",
    "2001:db8:64::1",
    "fe80::1",
)
_BROADCAST = "ff:ff:ff:ff:ff:ff"
_SERVERS = {"acme": ("203.0.113.10", "2001:db8:a::10"), "globex": ("203.0.113.74", "2001:db8:b::10")}


def _neighbours(network: Network) -> dict[str, str]:
    """Return the MAC of every host on a port of the edge, by name."""
    switches = {switch.name for switch in network.switches}
    return {host.name: host.ports[0].mac for host in network.hosts if host.ports[0].peer in switches}


def _gateways_of(policy: Policy, tenant: str) -> set[str]:
    mail = next(each.mail for each in policy.tenants if each.name == tenant)
    assert mail is not None
    pool: Pool = next(each for each in policy.pools if each.name == (mail.proxies or mail.scanners))
    return {member.name for member in pool.members}


@pytest.mark.parametrize("tenant", ["acme", "globex"])
def test_port_25_of_a_tenant_is_reached_from_its_gateways_alone(lab: Lab, tenant: str) -> None:
    policy = lab.scene().policy
    edge_mac = policy.switches[0].mac
    mac_by_name = _neighbours(lab.scene().network)
    router_mac = mac_by_name[f"{tenant}-gw"]
    source_ports = count(2000)
    honest: dict[tuple[int, int], tuple[str, bytes]] = {}
    with Eye(lab.places.pin(f"{tenant}-mx"), f"{tenant}-mx-eth0") as eye:
        for host in mac_by_name:
            frames = []
            for own_mac, next_mac, flags in product(
                sorted(set(mac_by_name.values())),
                (edge_mac, router_mac, _BROADCAST),
                (SYN, ACK, SYN | ACK, FIN),
            ):
                for server, sources in zip(_SERVERS[tenant], (_SOURCES4, _SOURCES6), strict=True):
                    for source in sources:
                        segment = Segment(own_mac, next_mac, source, server, next(source_ports), 25, flags)
                        frames.append(segment.to_frame())
                        is_own = own_mac == mac_by_name[host] and next_mac == edge_mac
                        # No router forwards a link-local source (RFC 4291, 2.5.6), ours in the lab neither.
                        if is_own and source != "fe80::1" and host in _gateways_of(policy, tenant):
                            honest[segment.source_port, 25] = (host, segment.to_frame())
            send(lab.places.pin(host), f"{host}-eth0", frames)
        for missing in honest.keys() - eye.seen(1.0):  # a busy switch loses some
            host, frame = honest[missing]
            send(lab.places.pin(host), f"{host}-eth0", [frame])
        # A session of somebody else may still say its last words: only our own ports count.
        seen = {(source, port) for source, port in eye.seen(1.0) if source < next(source_ports)}
    assert seen - honest.keys() == set()
    assert seen == honest.keys(), "the watch does not see all that should arrive"


@pytest.mark.parametrize("host", ["attacker", "acme-pc", "globex-pc"])
@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("192.0.2.11", 25),
        ("192.0.2.21", 25),
        ("2001:db8:e::12", 25),
        ("192.0.2.100", 3310),
        ("192.0.2.21", 3310),
        ("2001:db8:e::100", 3310),
    ],
)
def test_the_edges_own_hosts_answer_nobody_outside(lab: Lab, host: str, address: str, port: int) -> None:
    with pytest.raises(OSError, match=r"timed out|unreachable|No route"):
        probes.connect(lab.places.pin(host), address, port, 0.7).close()


def test_a_port_that_a_tenant_does_not_publish_never_reaches_its_server(lab: Lab) -> None:
    """A decoy may answer, at the server's own address; the server itself sees nothing."""
    segment = Segment("02:bb:00:00:00:01", "02:50:00:00:00:01", "198.51.100.66", "203.0.113.10", 41_587, 587)
    with Eye(lab.places.pin("acme-mx"), "acme-mx-eth0") as eye:
        send(lab.places.pin("bbr"), "bbr-eth0", [segment.to_frame()])
        assert not eye.saw(segment, 0.7)


def test_a_scanner_that_is_asked_by_no_proxy_reaches_no_tenant_of_another_mode(lab: Lab) -> None:
    with pytest.raises(TimeoutError):
        probes.connect(lab.places.pin("scanner1"), "203.0.113.10", 25, 0.7).close()


def test_only_copies_for_what_nobody_publishes_go_to_the_controller_and_few_a_second(lab: Lab) -> None:
    flows = _ofctl("dump-flows") + _ofctl("dump-groups")
    assert "goto_table" in flows
    (told,) = [line for line in flows.splitlines() if "CONTROLLER" in line]
    assert "table=16," in told
    assert "meter:1" in told
    lured = [line for line in flows.splitlines() if "clone(resubmit(,16))" in line]
    assert lured
    assert all("group:" in line and "tp_dst=25" not in line for line in lured)


def _ofctl(command: str) -> str:
    done = subprocess.run(
        ["ovs-ofctl", "-O", "OpenFlow14", command, "s1"], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
