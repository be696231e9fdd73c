"""Sends journal lines to a syslog server as well: RFC 5424 over a unix or UDP socket, never blocking.

A datagram socket has no connection and gets no answer. Lines that cannot be sent are lost and counted.
"""

import contextlib
import socket
import time
from ipaddress import ip_address

from common.journal.events import Severity

_LOCAL0 = 16 * 8
_LONGEST = 8_192  # what servers accept (RFC 5424, 6.1: at least 2,048)


class SyslogError(Exception):
    """The server's address is not valid; the text has a remedy."""


class Syslog:
    """`place` is `unix:PATH`, or `udp:ADDRESS:PORT`. Raise `SyslogError`."""

    def __init__(self, place: str, name: str) -> None:
        self._family, self._to = _parse(place)
        self._head = f"{_plain(socket.gethostname())} postern-decoy {_plain(name)} - -"
        try:
            self._socket = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        except OSError as error:  # no IPv6 on this host
            raise SyslogError(f"{place}: {error}; remedy: use --syslog with an IPv4 address") from error
        self.lost = 0

    def ship(self, severity: Severity, line: str) -> None:
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z"
        text = f"<{_LOCAL0 + severity.number}>1 {stamp} {self._head} {line}"
        try:
            self._socket.sendto(text.encode()[:_LONGEST], self._to)
        except OSError:
            self.lost += 1

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()


def _parse(place: str) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
    kind, _, rest = place.partition(":")
    if kind == "unix" and rest:
        return socket.AF_UNIX, rest
    host, _, port = rest.rpartition(":")
    try:
        address = ip_address(host.strip("[]"))
        number = int(port)
    except ValueError as error:
        remedy = "remedy: --syslog unix:/dev/log or --syslog udp:192.0.2.1:514"
        raise SyslogError(f"{place!r:.60} is not the address of a syslog server; {remedy}") from error
    if kind != "udp" or not 0 < number < 65_536:
        raise SyslogError(
            f"{place!r:.60}: {kind!r:.20} is not a known kind; remedy: --syslog udp:ADDRESS:PORT"
        )
    return (socket.AF_INET if address.version == 4 else socket.AF_INET6), (str(address), number)


def _plain(text: str) -> str:
    """RFC 5424, 6: printable ASCII without spaces."""
    return "".join(letter for letter in text if "!" <= letter <= "~")[:48] or "-"
