"""Sockets that speak under other people's addresses.

Needs CAP_NET_ADMIN (or CAP_NET_RAW) for addresses that are not the host's own:
ip(7), IP_TRANSPARENT; ipv6(7), IPV6_TRANSPARENT.
"""

import asyncio
import errno
import os
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

from services.mail.settings import Address, Settings

_IP_TRANSPARENT = 19
_IPV6_TRANSPARENT = 75
_BACKLOG = 1024
_SAME_PORT_TIMEOUT_S = 3.0
# The client's own 4-tuple is still in use or in TIME_WAIT somewhere: take a fresh port.
_CLASHES = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.ECONNABORTED})


def listen(settings: Settings) -> list[socket.socket]:
    """Return listening sockets for IPv4 and IPv6 on every address. Raise `OSError`."""
    sockets = []
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if settings.is_transparent:
            _make_transparent(listener)
        listener.bind((address, settings.port))
        listener.listen(_BACKLOG)
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
    return ip_address(name[0].partition("%")[0]), name[1]


async def connect_as(
    loop: asyncio.AbstractEventLoop,
    client: tuple[Address, int],
    server: tuple[Address, int],
    is_transparent: bool,
    within_s: float,
) -> socket.socket:
    """Connect to the server under the client's address, with the client's own port if that is free.

    A 4-tuple that is still remembered somewhere must not hang, so the client's
    own port gets a short try only. Where we may not be transparent, the port is
    any. Raise `OSError` or `TimeoutError`.
    """
    try:
        return await _connect(loop, client, server, is_transparent, min(within_s, _SAME_PORT_TIMEOUT_S))
    except TimeoutError:
        pass
    except OSError as error:
        if error.errno not in _CLASHES:
            raise
    return await _connect(loop, (client[0], 0), server, is_transparent, within_s)


async def _connect(
    loop: asyncio.AbstractEventLoop,
    source: tuple[Address, int],
    server: tuple[Address, int],
    is_transparent: bool,
    within_s: float,
) -> socket.socket:
    family = socket.AF_INET if server[0].version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if is_transparent:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _make_transparent(sock)
        sock.bind((str(source[0]), source[1] if is_transparent else 0))
        await _finish_connect(loop, sock, (str(server[0]), server[1]), within_s)
    except BaseException:
        sock.close()
        raise
    return sock


async def _finish_connect(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, server: tuple[str, int], within_s: float
) -> None:
    """What loop.sock_connect() does, without its resolver's thread: the address is one already."""
    error = sock.connect_ex(server)
    if error == errno.EINPROGRESS:
        writable = loop.create_future()
        loop.add_writer(sock, writable.set_result, None)
        try:
            async with asyncio.timeout(within_s):
                await writable
        finally:
            loop.remove_writer(sock)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))
