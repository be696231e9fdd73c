"""An attacker's attempts to bypass the edge, with real packets. Each must fail.

One frame is meant to arrive. If it does not, the capture does not work, and the
absence of the others proves nothing.
"""

from dataclasses import dataclass

from controller.policy.model import Policy
from lab import probes
from lab.frames import Eye, Segment, send
from lab.lab import Lab

_WAIT_S = 0.8
_FIRST_PORT = 41001


@dataclass(frozen=True, slots=True)
class Outcome:
    title: str
    what_happened: str
    is_good: bool


def story(lab: Lab) -> list[Outcome]:
    """Try everything; return what must fail, and whether it did."""
    return [*connections(lab), *hand_made_frames(lab)]


def connections(lab: Lab) -> list[Outcome]:
    """Connections of the attacker to hosts of the edge."""
    wanted = (
        ("connection to a proxy's own address, port 25", "192.0.2.11", 25),
        ("connection to a scanner's own address, port 25", "2001:db8:e::21", 25),
        ("connection to the responder's own address, port 25", "192.0.2.31", 25),
        ("connection to clamd at the scanners' virtual address", "192.0.2.100", 3310),
        ("connection to clamd at the scanners' virtual address, IPv6", "2001:db8:e::100", 3310),
    )
    return [_connection(lab, *each) for each in wanted]


def _connection(lab: Lab, title: str, address: str, port: int) -> Outcome:
    try:
        probes.connect(lab.places.pin("attacker"), address, port, _WAIT_S).close()
    except TimeoutError:
        return Outcome(title, "no answer", True)
    except OSError as error:
        return Outcome(title, f"refused: {error}", True)
    return Outcome(title, f"a connection to [{address}]:{port} was accepted", False)


def hand_made_frames(lab: Lab) -> list[Outcome]:
    """Frames that no honest host sends, with a capture of what arrives at acme's mail server."""
    policy = lab.scene().policy
    edge_mac = policy.switches[0].mac
    gateway_mac = next(tenant for tenant in policy.tenants if tenant.name == "acme").gateways[0].mac
    with Eye(lab.places.pin("acme-mx"), "acme-mx-eth0") as eye:
        found = []
        for number, (title, host, macs, source) in enumerate(_frames(policy, edge_mac, gateway_mac)):
            destination = "2001:db8:a::10" if ":" in source else "203.0.113.10"
            segment = Segment(*macs, source, destination, _FIRST_PORT + number)
            send(lab.places.pin(host), f"{host}-eth0", [segment.to_frame()])
            is_wanted = host == "proxy1"
            arrived = eye.saw(segment, 2.0 if is_wanted else _WAIT_S)
            what = "arrived at acme-mx" if arrived else "did not arrive at acme-mx"
            found.append(Outcome(title, what, arrived == is_wanted))
        return found


def _frames(policy: Policy, edge_mac: str, gateway_mac: str) -> list[tuple[str, str, tuple[str, str], str]]:
    """Return (title, host, (source MAC, destination MAC), source address)."""
    uplink, globex = policy.uplinks[0].mac, policy.tenants[1].gateways[0].mac
    mac_by_member = {member.name: member.mac for pool in policy.pools for member in pool.members}
    proxy, scanner = mac_by_member["proxy1"], mac_by_member["scanner1"]
    responder, decoy = mac_by_member["responder1"], mac_by_member["decoy1"]
    sender = "198.51.100.10"
    return [
        (
            "a frame to acme's router that bypasses the switch's own address",
            "bbr",
            (uplink, gateway_mac),
            sender,
        ),
        ("a frame that claims to come from a proxy", "bbr", (proxy, edge_mac), "192.0.2.11"),
        ("a packet with a proxy's source address", "bbr", (uplink, edge_mac), "2001:db8:e::11"),
        ("a packet from globex with the sender's address", "globex-gw", (globex, edge_mac), sender),
        ("from a scanner, which does not serve acme", "scanner1", (scanner, edge_mac), sender),
        ("from a responder, which opens no connections", "responder1", (responder, edge_mac), sender),
        ("from a compromised decoy", "decoy1", (decoy, edge_mac), sender),
        (
            "from a proxy, which serves acme (proves that the capture works)",
            "proxy1",
            (proxy, edge_mac),
            sender,
        ),
    ]
