"""Listening sockets: one for each endpoint, kept open across changes that do not affect it."""

import asyncio
import contextlib
import errno
import ipaddress
import socket
import struct
from collections.abc import Callable, Iterable

from services.decoy.listeners import Endpoint, listen
from services.personas.model import Address

OnAccepted = Callable[[socket.socket, Address, int, Address, int], bool]

_AT_ONCE = 64
# Out of descriptors or memory: accepting again at once would be a busy loop.
_REST_S = 0.2


class Acceptor:
    """Calls `accepted` with each connection, its source, source port, destination and port.

    If `accepted` returns False, the connection is reset, which looks almost like a closed port.
    """

    def __init__(self, accepted: OnAccepted) -> None:
        self._accepted = accepted
        self._sockets: dict[Endpoint, socket.socket] = {}

    def listen_at(self, places: Iterable[Endpoint]) -> dict[Endpoint, str]:
        """Open missing sockets and close unwanted ones; return those that cannot be opened, and why."""
        wanted = frozenset(places)
        for place in set(self._sockets) - wanted:
            self._close(place)
        failed: dict[Endpoint, str] = {}
        for place in sorted(wanted - set(self._sockets)):
            try:
                self._open(place)
            except OSError as error:
                failed[place] = str(error)
        return failed

    def close(self) -> None:
        self.listen_at(())

    def _open(self, place: Endpoint) -> None:
        self._sockets[place] = listening = listen(place)
        asyncio.get_running_loop().add_reader(listening, self._accept, place)

    def _close(self, place: Endpoint) -> None:
        listening = self._sockets.pop(place)
        asyncio.get_running_loop().remove_reader(listening)
        listening.close()

    def _accept(self, place: Endpoint) -> None:
        listening = self._sockets.get(place)
        for _ in range(_AT_ONCE):
            if listening is None:
                return
            try:
                connection, peer = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._rest(place, listening)
                    return
                continue  # this client has disconnected meanwhile
            self._pass_on(connection, peer)

    def _pass_on(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        try:
            here = connection.getsockname()
            source, destination = ipaddress.ip_address(peer[0]), ipaddress.ip_address(here[0])
        except (OSError, ValueError):
            connection.close()
            return
        if not self._accepted(connection, source, peer[1], destination, here[1]):
            reset(connection)

    def _rest(self, place: Endpoint, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)

        def again() -> None:
            if self._sockets.get(place) is listening:
                loop.add_reader(listening, self._accept, place)

        loop.call_later(_REST_S, again)


def reset(connection: socket.socket) -> None:
    """Close with RST."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
