"""Special-purpose addresses: which of them can never be the source of a packet from outside.

The one list of this kind. Sources: RFC 6890, the IANA special-purpose address registries of IPv4 and
IPv6 that it began, and the registries of multicast. A block is never a source on the backbone if its
registry says that it is not a source, not forwardable or not globally reachable. A block may contain
smaller ones of another kind: the longest one that contains an address decides.
"""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network

from common.wire.values import Network


class Use(StrEnum):
    """What a block means for packets that come from outside.

    NO_HOST: no host has such an address, and no policy may name it. NEVER: never a source from outside.
    PRIVATE: the same, but routers use it on their own links.
    TEST: made for documents and test networks. No real host has such an address, but labs, tests and
    examples use them in place of public ones, so they pass: refusing them would make an edge that is
    tried out another one than the edge in operation. PUBLIC: special, and reachable from everywhere.
    """

    NO_HOST = "no host"
    NEVER = "never"
    PRIVATE = "private"
    TEST = "test"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Block:
    network: Network
    use: Use
    name: str
    source: str


def _block(network: str, use: Use, name: str, source: str) -> Block:
    return Block(ip_network(network), use, name, source)


BLOCKS: tuple[Block, ...] = (
    _block("0.0.0.0/8", Use.NO_HOST, "this network", "RFC 791"),
    _block("10.0.0.0/8", Use.PRIVATE, "private use", "RFC 1918"),
    _block("100.64.0.0/10", Use.PRIVATE, "shared address space", "RFC 6598"),
    _block("127.0.0.0/8", Use.NO_HOST, "loopback", "RFC 1122"),
    _block("169.254.0.0/16", Use.NEVER, "link local", "RFC 3927"),
    _block("172.16.0.0/12", Use.PRIVATE, "private use", "RFC 1918"),
    _block("192.0.0.0/24", Use.NEVER, "IETF protocol assignments", "RFC 6890"),
    _block("192.0.0.9/32", Use.PUBLIC, "port control protocol anycast", "RFC 7723"),
    _block("192.0.0.10/32", Use.PUBLIC, "TURN anycast", "RFC 8155"),
    _block("192.0.2.0/24", Use.TEST, "documentation", "RFC 5737"),
    _block("192.31.196.0/24", Use.PUBLIC, "AS112", "RFC 7535"),
    _block("192.52.193.0/24", Use.PUBLIC, "automatic multicast tunneling", "RFC 7450"),
    _block("192.88.99.0/24", Use.PUBLIC, "6to4 relays, deprecated", "RFC 7526"),
    _block("192.88.99.2/32", Use.NEVER, "6a44 relays", "RFC 6751"),
    _block("192.168.0.0/16", Use.PRIVATE, "private use", "RFC 1918"),
    _block("192.175.48.0/24", Use.PUBLIC, "AS112, direct delegation", "RFC 7534"),
    _block("198.18.0.0/15", Use.TEST, "benchmarks", "RFC 2544"),
    _block("198.51.100.0/24", Use.TEST, "documentation", "RFC 5737"),
    _block("203.0.113.0/24", Use.TEST, "documentation", "RFC 5737"),
    _block("224.0.0.0/4", Use.NO_HOST, "multicast", "RFC 5771"),
    _block("240.0.0.0/4", Use.NO_HOST, "reserved, and limited broadcast", "RFC 1112, RFC 8190"),
    _block("::/96", Use.NO_HOST, "unspecified, loopback, IPv4-compatible", "RFC 4291"),
    _block("::ffff:0:0/96", Use.NO_HOST, "IPv4-mapped", "RFC 4291"),
    _block("64:ff9b::/96", Use.PUBLIC, "translation between IPv4 and IPv6", "RFC 6052"),
    _block("64:ff9b:1::/48", Use.NEVER, "local translation", "RFC 8215"),
    _block("100::/64", Use.NEVER, "discard only", "RFC 6666"),
    _block("100:0:0:1::/64", Use.NEVER, "dummy prefix", "RFC 9780"),
    _block("2001::/23", Use.NEVER, "IETF protocol assignments", "RFC 2928"),
    _block("2001::/32", Use.PUBLIC, "Teredo", "RFC 4380"),
    _block("2001:1::1/128", Use.PUBLIC, "port control protocol anycast", "RFC 7723"),
    _block("2001:1::2/128", Use.PUBLIC, "TURN anycast", "RFC 8155"),
    _block("2001:1::3/128", Use.PUBLIC, "DNS-SD registration anycast", "RFC 9665"),
    _block("2001:2::/48", Use.TEST, "benchmarks", "RFC 5180"),
    _block("2001:3::/32", Use.PUBLIC, "automatic multicast tunneling", "RFC 7450"),
    _block("2001:4:112::/48", Use.PUBLIC, "AS112", "RFC 7535"),
    _block("2001:20::/28", Use.PUBLIC, "ORCHIDv2", "RFC 7343"),
    _block("2001:30::/28", Use.PUBLIC, "drone remote identification", "RFC 9374"),
    _block("2001:db8::/32", Use.TEST, "documentation", "RFC 3849"),
    _block("2002::/16", Use.PUBLIC, "6to4", "RFC 3056"),
    _block("2620:4f:8000::/48", Use.PUBLIC, "AS112, direct delegation", "RFC 7534"),
    _block("3fff::/20", Use.TEST, "documentation", "RFC 9637"),
    _block("5f00::/16", Use.NEVER, "segment identifiers", "RFC 9602"),
    _block("fc00::/7", Use.PRIVATE, "unique local", "RFC 4193"),
    _block("fe80::/10", Use.NEVER, "link local", "RFC 4291"),
    _block("fec0::/10", Use.NEVER, "site local, deprecated", "RFC 3879"),
    _block("ff00::/8", Use.NO_HOST, "multicast", "RFC 4291"),
)


def _lies_inside(network: Network, wide: Network) -> bool:
    return (
        network.version == wide.version
        and network.prefixlen >= wide.prefixlen
        and network.network_address in wide
    )


# No packet from outside has its source here, apart from the exceptions.
NEVER_OUTSIDE: tuple[Block, ...] = tuple(each for each in BLOCKS if each.use not in (Use.TEST, Use.PUBLIC))
EXCEPTIONS: tuple[Block, ...] = tuple(
    each
    for each in BLOCKS
    if each not in NEVER_OUTSIDE and any(_lies_inside(each.network, wide.network) for wide in NEVER_OUTSIDE)
)
PRIVATE: tuple[Block, ...] = tuple(each for each in BLOCKS if each.use is Use.PRIVATE)
# No host has such an address.
NO_HOSTS: tuple[Network, ...] = tuple(each.network for each in BLOCKS if each.use is Use.NO_HOST)
