"""Transparent sockets: they listen on, and connect from, addresses of other hosts.

Needs CAP_NET_ADMIN (or CAP_NET_RAW) for addresses that are not the host's own:
ip(7), IP_TRANSPARENT; ipv6(7), IPV6_TRANSPARENT.
"""

import errno
import os
import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from services.base import ipv6
from services.base.settings import Address

_IP_TRANSPARENT = 19
_IPV6_TRANSPARENT = 75
BACKLOG = 1024  # create_server() calls listen() again and must pass this value, too
# A health agent on the same host checks us here; no tenant's server has these addresses.
OWN_ADDRESSES = frozenset({IPv4Address("127.0.0.1"), IPv6Address("::1")})
# The client's own 4-tuple is still in use, or in TIME_WAIT, on this host: use another port.
_CLASHES = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.ECONNABORTED})


def listen(port: int, is_transparent: bool) -> list[socket.socket]:
    """Return listening sockets for IPv4 and IPv6 on every address, including other hosts'. Raise `OSError`.

    Without IPv6 in the kernel there is only the IPv4 socket; `ipv6.tell_if_missing` reports that.
    """
    sockets = []
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        if family == socket.AF_INET6 and not ipv6.has_sockets():
            continue
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if is_transparent:
            _make_transparent(listener)
        listener.bind((address, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
        sockets.append(listener)
    return sockets


def _make_transparent(sock: socket.socket) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)


def end_of(name: tuple[str, int]) -> tuple[IPv4Address | IPv6Address, int]:
    """Return (address, port) of a socket's name, without an IPv6 zone."""
    return _parse_address(name[0].partition("%")[0]), name[1]


_parse_address = lru_cache(maxsize=4096)(ip_address)


def begin_connect(
    client: tuple[Address, int], server: tuple[Address, int], is_transparent: bool
) -> tuple[socket.socket, bool]:
    """Start to connect from the client's address and port. Return the socket, and whether it has that port.

    If the port is in use, another port of the client's address is taken. Without
    transparency the server sees an address of this host. The socket is non-blocking
    and not connected yet. Raise `OSError`.
    """
    if is_transparent and client[1]:
        try:
            return _begin(client, server), True
        except OSError as error:
            if error.errno not in _CLASHES:
                raise
    return _begin((client[0], 0) if is_transparent else None, server), False


def _begin(source: tuple[Address, int] | None, server: tuple[Address, int]) -> socket.socket:
    family = socket.AF_INET if server[0].version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if source:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _make_transparent(sock)
            sock.bind((str(source[0]), source[1]))
        if (error := sock.connect_ex((str(server[0]), server[1]))) not in (0, errno.EINPROGRESS):
            raise OSError(error, os.strerror(error))
    except BaseException:
        sock.close()
        raise
    return sock


def is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True
