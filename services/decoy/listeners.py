"""Where a decoy listens, and how: first a plan as data, then sockets.

Named hosts get a socket for each address and port, so that even the SYN-ACK has their TTL and window. Dark
addresses share a socket at the wildcard address. Ports of SSH and Telnet are left to Cowrie.
"""

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.base import ipv6
from services.personas.model import BY_COWRIE, Host, Persona

_IP_FREEBIND, _IPV6_FREEBIND = 15, 78
BACKLOG = 1_024
_WILDCARDS = ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    family: int
    address: str
    port: int
    ttl: int
    window: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def places_of(personas: Mapping[str, Persona]) -> frozenset[Endpoint]:
    """Return the endpoints. If dark hosts of several tenants share a port, the first one's TTL is used."""
    places: dict[tuple[str, int], Endpoint] = {}
    for _, persona in sorted(personas.items()):
        for host in persona.hosts:
            for family, address in ends_of(host):
                for port, service in host.services.items():
                    if service.protocol not in BY_COWRIE:
                        place = Endpoint(family, address, port, host.ttl_at(port), host.window)
                        places.setdefault((address, port), place)
    return frozenset(places.values())


def servable(places: Iterable[Endpoint]) -> frozenset[Endpoint]:
    """Return the endpoints that this kernel can serve: those of IPv6 only if it supports IPv6."""
    has_ipv6 = ipv6.has_sockets()
    return frozenset(place for place in places if has_ipv6 or place.family == socket.AF_INET)


def ends_of(host: Host) -> tuple[tuple[int, str], ...]:
    if host.is_dark:
        return _WILDCARDS
    families = {4: socket.AF_INET, 6: socket.AF_INET6}
    return tuple((families[address.version], str(address)) for address in host.addresses)


def listen(place: Endpoint) -> socket.socket:
    """Return a listening socket. Raise `OSError`."""
    sock = socket.socket(place.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Without it, no socket can listen at an address while another one listens at the wildcard.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if place.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        set_ttl(sock, place.family, place.ttl)
        if place.window:
            # The kernel advertises half of the buffer, and never more than the clamp.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, place.window)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, place.window)
        sock.bind((place.address, place.port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def set_ttl(sock: socket.socket, family: int, ttl: int) -> None:
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
