"""The address plan that all topologies share, so that a host has the same address in each of them.

    backbone router N     100.64.0.(4N-2)/30    2001:db8:64::(4N-2)/126   02:bb:00:00:00:0N
    tenant T, gateway G   100.64.T.(4G-2)/30    2001:db8:64:T::(4G-2)/126 02:aa:00:00:0G-1:0T
    tenant T, inside      203.0.113.(64(T-1))/26 and 2001:db8:(9+T)::/48 up to T = 3,
                          then 198.18.T.0/24 and 2001:db8:(0x100+T)::/48
    tenant T, private     10.0.0.5, the same in every intranet that has it
    pool members          192.0.2.LAST, 2001:db8:e::LAST
    outside               198.51.100.0/24, 2001:db8:bb::/48

T counts from 1: acme, globex, ... The edge's own address on a link is the one before
the router's. Sources: RFC 5737, RFC 3849 (documentation), RFC 6598 (100.64.0.0/10),
RFC 2544 (198.18.0.0/15).
"""

from mininet_topos.parts import Inside, Neighbour, Site

POOL_EDGE = ("192.0.2.1", "2001:db8:e::1")
SCANNER_VIPS = ("192.0.2.100", "2001:db8:e::100")
ANTIVIRUS_VIPS = ("192.0.2.120", "2001:db8:e::120")
PRIVATE = "10.0.0.5"  # a host of every intranet
NAMES = (
    "acme", "globex", "initech", "weyland", "hooli", "soylent", "tyrell", "zorg", "wonka", "stark",
    "wayne", "sirius", "dharma", "vault", "dunder", "pied", "oscorp", "massive", "gekko", "duff",
)  # fmt: skip


def backbone(number=1, name="bbr"):
    """Return router `number` of the backbone."""
    edge = 4 * number - 3
    return Neighbour(
        name,
        f"02:bb:00:00:00:{number:02x}",
        (f"100.64.0.{edge + 1}/30", f"2001:db8:64::{edge + 1:x}/126"),
        (f"100.64.0.{edge}", f"2001:db8:64::{edge:x}"),
    )


def internet(ways=(0, 0, 0)):
    """Return the hosts outside: a sender, a partner, an attacker; `ways` are the routers that each uses.

    Each is at a site of its own, so that one is not blamed for another.
    """
    return Site(
        ("198.51.100.0/24", "2001:db8:bb::/48"),
        ("198.51.100.1", "2001:db8:bb::1"),
        tuple(
            Inside(name, "outside", (f"198.51.100.{last}", f"2001:db8:bb{site}::{last}"), way_out=way)
            for (name, site, last), way in zip(
                (("sender", "", 10), ("partner", ":2", 200), ("attacker", ":6", 66)), ways, strict=True
            )
        ),
    )


def gateway(tenant, number=1, name=""):
    """Return gateway `number` of a tenant; both count from 1."""
    edge = 4 * number - 3
    return Neighbour(
        name or f"{NAMES[tenant - 1]}-gw",
        f"02:aa:00:00:{number - 1:02x}:{tenant:02x}",
        (f"100.64.{tenant}.{edge + 1}/30", f"2001:db8:64:{tenant:x}::{edge + 1:x}/126"),
        (f"100.64.{tenant}.{edge}", f"2001:db8:64:{tenant:x}::{edge:x}"),
    )


def intranet(tenant, ways=(0, 0), has_private=False):
    """Return a tenant's inside: a mail server and a client; `ways` are the gateways that each uses.

    `has_private` adds a client that has only a private address.
    """
    name = NAMES[tenant - 1]
    network, host4 = _inside4(tenant)
    network6 = f"2001:db8:{9 + tenant if tenant <= 3 else 0x100 + tenant:x}::"
    mx, pc = ((host4(10), f"{network6}10"), (host4(20), f"{network6}20"))
    hosts = [
        Inside(f"{name}-mx", "mail-server", mx, f"{name}.example", ways[0]),
        Inside(f"{name}-pc", "client", pc, way_out=ways[1]),
    ]
    if has_private:
        hosts.append(Inside(f"{name}-lap", "client", (PRIVATE,), way_out=ways[1]))
    return Site((network, f"{network6}/48"), (host4(1), f"{network6}1"), tuple(hosts))


def member(name, mac, last):
    """Return a pool member of the edge: 192.0.2.LAST and 2001:db8:e::LAST, alone on its link."""
    return Neighbour(name, mac, (f"192.0.2.{last}/32", f"2001:db8:e::{last}/128"), POOL_EDGE)


def proxy(number):
    return member(f"proxy{number}", f"02:cc:00:00:00:{number:02x}", 10 + number)


def scanner(number):
    return member(f"scanner{number}", f"02:dd:00:00:00:{number:02x}", 20 + number)


def responder(number):
    return member(f"responder{number}", f"02:ff:00:00:00:{number:02x}", 30 + number)


def decoy(number):
    return member(f"decoy{number}", f"02:ee:00:00:00:{number:02x}", 40 + number)


def antivirus(number):
    return member(f"av{number}", f"02:ab:00:00:00:{number:02x}", 50 + number)


def tenant_networks(*tenants):
    """Return the networks of tenants, which count from 1, in both families."""
    return [network for tenant in tenants for network in intranet(tenant).networks]


def _inside4(tenant):
    """Return a tenant's IPv4 network, and a function that makes its hosts' addresses."""
    if tenant <= 3:
        first = 64 * (tenant - 1)
        return f"203.0.113.{first}/26", lambda host: f"203.0.113.{first + host}"
    return f"198.18.{tenant}.0/24", lambda host: f"198.18.{tenant}.{host}"
