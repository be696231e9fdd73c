"""The unix socket to Cowrie's supervisor: connections come in, events go out, one JSON object per line.

In: {"open": "ssh" or "telnet", "key": k} with one descriptor, answered with `postern.taken`; {"ping": n}.
When the socket closes, Cowrie ends.
"""

import json
import os
import socket
from collections import deque
from typing import Any

from twisted.internet.interfaces import IFileDescriptorReceiver
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver
from zope.interface import implementer

_MOST_WAITING_BYTES = 4 * 1024 * 1024
_LONGEST_TEXT = 8192
_MOST_ITEMS = 100


class Link:
    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._transport: Any = None
        self._early: list[bytes] = []
        self.factories: dict[str, Any] = {}
        self.lost = 0

    def serve(self, descriptor: int, factories: dict[str, Any]) -> None:
        """Accept connections from the supervisor from now on, and report that Cowrie is ready."""
        self.factories = factories
        factory = Factory.forProtocol(_Ear)
        factory.link = self
        os.set_blocking(descriptor, False)
        self._reactor.adoptStreamConnection(descriptor, socket.AF_UNIX, factory)
        os.close(descriptor)
        self.tell({"eventid": "postern.ready"})

    def tell(self, event: dict[str, Any]) -> None:
        """Send an event. Events that are not read in time are dropped, and their count is sent later."""
        if self._transport is None:
            return
        if self._waiting_bytes() > _MOST_WAITING_BYTES:
            self.lost += 1
            return
        if self.lost:
            self._write({"eventid": "postern.lost", "count": self.lost})
            self.lost = 0
        self._write(event)

    def _write(self, event: dict[str, Any]) -> None:
        self._transport.write(json.dumps(_bounded(event), default=str).encode() + b"\n")

    def _waiting_bytes(self) -> int:
        transport = self._transport
        return len(transport.dataBuffer) + transport._tempDataLen

    def began(self, transport: Any) -> None:
        self._transport = transport

    def ended(self) -> None:
        self._transport = None
        if self._reactor.running:
            self._reactor.stop()

    def adopt(self, descriptor: int, protocol: str, key: str) -> None:
        """Serve a connection that the supervisor accepted; report whether that was possible."""
        connection = socket.socket(fileno=descriptor)
        is_served = True
        try:
            factory = self.factories[protocol]
            connection.setblocking(False)
            self._reactor.adoptStreamConnection(connection.fileno(), connection.family, factory)
        except (OSError, KeyError):
            is_served = False  # the attacker has disconnected, or this persona lacks the protocol
        finally:
            connection.close()
        self.tell({"eventid": "postern.taken", "key": key, "served": is_served})


@implementer(IFileDescriptorReceiver)
class _Ear(LineOnlyReceiver):
    delimiter = b"\n"

    def __init__(self) -> None:
        self._descriptors: deque[int] = deque()

    def connectionMade(self) -> None:  # noqa: N802
        self.factory.link.began(self.transport)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        self.factory.link.ended()

    def fileDescriptorReceived(self, descriptor: int) -> None:  # noqa: N802
        self._descriptors.append(descriptor)

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        said = json.loads(line)
        link: Link = self.factory.link
        if "open" in said:
            link.adopt(self._descriptors.popleft(), said["open"], said["key"])
        elif "ping" in said:
            link.tell({"eventid": "postern.pong", "ping": said["ping"]})


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_LONGEST_TEXT]
    if isinstance(value, dict):
        return {key: _bounded(each) for key, each in list(value.items())[:_MOST_ITEMS]}
    if isinstance(value, list | tuple):
        return [_bounded(each) for each in value[:_MOST_ITEMS]]
    return value
