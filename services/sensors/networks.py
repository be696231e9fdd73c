"""Addresses and prefixes as outside systems write them, and those that must never get a decision.

This module is independent of the source. The controller has the same rules and decides finally.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from common.special_addresses import EXCEPTIONS, NEVER_OUTSIDE
from services.base.settings import Network

_LONGEST_TEXT = 64
_WIDEST = {4: 8, 6: 19}
_NEVER_OUTSIDE = tuple(each.network for each in NEVER_OUTSIDE)
_EXCEPTIONS = tuple(each.network for each in EXCEPTIONS)


def parse_network(text: str) -> Network | None:
    """Return the prefix that an address or prefix names; None if it is neither."""
    if len(text) > _LONGEST_TEXT or "%" in text:
        return None
    try:
        if "/" in text:
            network: Network = ip_network(text, strict=False)
        else:
            network = ip_network(ip_address(text))
    except ValueError:
        return None
    return _unmapped(network)


def _unmapped(network: Network) -> Network:
    """Turn an IPv4-mapped IPv6 address into the IPv4 address."""
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = IPv6Address(network.network_address).ipv4_mapped
        if mapped is not None:
            return IPv4Network((int(mapped), network.prefixlen - 96))
    return network


def is_too_wide(network: Network) -> bool:
    return network.prefixlen < _WIDEST[network.version]


@lru_cache(maxsize=8)
def _by_family(networks: tuple[Network, ...]) -> tuple[tuple[Network, ...], tuple[Network, ...]]:
    return tuple(n for n in networks if n.version == 4), tuple(n for n in networks if n.version == 6)


def is_barred(network: Network, tenants: tuple[Network, ...]) -> bool:
    """Return whether a prefix overlaps space that is never an outside source: special or tenants' own."""
    is_ipv6 = network.version == 6
    if overlaps(network, _by_family(tenants)[is_ipv6]):
        return True
    if not overlaps(network, _by_family(_NEVER_OUTSIDE)[is_ipv6]):
        return False
    first, last = network.network_address, network.broadcast_address
    return not any(first in each and last in each for each in _by_family(_EXCEPTIONS)[is_ipv6])


def overlaps(network: Network, others: Iterable[Network]) -> bool:
    first, last = int(network.network_address), int(network.broadcast_address)
    return any(
        other.version == network.version
        and int(other.network_address) <= last
        and first <= int(other.broadcast_address)
        for other in others
    )


def to_text(network: Network) -> str:
    """Return an address without its length if it is a single one."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def printable(text: str, most: int = 100) -> str:
    """Return text from a peer as one short line of plain text."""
    plain = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text[:most])
    return plain.strip()
