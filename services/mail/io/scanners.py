"""Sends one message to clamd over one connection: at the pool's virtual address the switch balances.

Only bytes already held are sent, so a slow sender never occupies a scanner. A failed
request is repeated once, at another scanner if there is one. After that the verdict
is `unavailable`, and never clean.
"""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import IPv4Address, ip_address

from services.base import clamd
from services.base.clamd import Verdict, VerdictKind
from services.base.settings import Address
from services.base.sockets import begin_connect, is_connected
from services.mail.io.wire import BaseWire, Outbox, Sweeper
from services.mail.relay.ports import Spool, WireClosed, WireTimeout
from services.mail.settings import ScannerAddress
from services.smtp.data import Unstuffer

CONNECT_S = 3.0
ANSWER_S = 20.0
_VERSION_S = 5.0
_CACHED_VERDICTS = 10_000
_CHUNK_BYTES = 128 * 1024
_FROM_ANY = (IPv4Address(0), 0)


class ClamdScanners:
    """Scans messages. Remembers detections while the signatures stay the same."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sweeper: Sweeper, outbox: Outbox) -> None:
        self._loop, self._sweeper, self._outbox = loop, sweeper, outbox
        self._version: dict[ScannerAddress, tuple[str, float]] = {}
        self._found: OrderedDict[tuple[str, str], Verdict] = OrderedDict()

    async def scan(self, spool: Spool, scanners: tuple[ScannerAddress, ...]) -> Verdict:
        """Return the verdict on a whole message. Never raises: no answer is `unavailable`."""
        last = Verdict(VerdictKind.UNAVAILABLE, "no scanner is configured")
        for address in _attempts(scanners):
            last = await self._try(spool, address)
            if last.kind is not VerdictKind.UNAVAILABLE:
                break
        return last

    async def _try(self, spool: Spool, address: ScannerAddress) -> Verdict:
        deadline = self._sweeper.now + ANSWER_S
        try:
            return await self._ask(spool, address, deadline)
        except (OSError, WireClosed) as error:
            reason = str(error) or "the scanner closed the connection without a verdict"
        except WireTimeout:
            reason = f"no answer within {ANSWER_S:.0f} s"
        return Verdict(VerdictKind.UNAVAILABLE, reason, str(address))

    async def _ask(self, spool: Spool, address: ScannerAddress, deadline: float) -> Verdict:
        version = await self._signatures(address, deadline)
        known = self._found.get((spool.sha256, version))
        if known is not None and version:
            return Verdict(known.kind, known.detail, known.scanner, is_cached=True)
        answer = await self._exchange(address, deadline, spool)
        verdict = clamd.parse_answer(answer, str(address))
        # Only detections are remembered: a message must never pass without a scan.
        if verdict.kind is VerdictKind.INFECTED and version:
            self._found[spool.sha256, version] = verdict
            if len(self._found) > _CACHED_VERDICTS:
                self._found.popitem(last=False)
        return verdict

    async def _signatures(self, address: ScannerAddress, deadline: float) -> str:
        """Return the version of the signatures, at most a few seconds old; empty if unknown."""
        version, asked_at = self._version.get(address, ("", -_VERSION_S))
        if self._sweeper.now - asked_at < _VERSION_S:
            return version
        answer = await self._exchange(address, deadline, None)
        version = answer.decode("utf-8", "replace")
        self._version[address] = version, self._sweeper.now
        return version

    async def _exchange(self, address: ScannerAddress, deadline: float, spool: Spool | None) -> bytes:
        """Scan a message, or without one ask for the version. Return the answer without its NUL.

        Raise `OSError`, `WireClosed` or `WireTimeout`.
        """
        wire = await self._connect(address)
        request = _Request(wire, self._sweeper, deadline)
        try:
            if spool is None:
                wire.write(clamd.VERSION_REQUEST)
            else:
                await request.send(spool)
            return await request.answer()
        finally:
            wire.abort()

    async def _connect(self, address: ScannerAddress) -> BaseWire:
        """Return a wire that may still be connecting: data is sent once it is connected."""
        wire = BaseWire(self._sweeper, self._outbox)
        if address.unix:
            await self._loop.create_unix_connection(lambda: wire, address.unix)
        else:
            target = (await self._resolve(address.host), address.port)
            sock, _ = begin_connect(_FROM_ANY, target, is_transparent=False)
            await self._loop.create_connection(lambda: wire, sock=sock)
        return wire

    async def _resolve(self, host: str) -> Address:
        try:
            return ip_address(host)
        except ValueError:
            found = await self._loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            return ip_address(found[0][4][0])


class _Request:
    """One request to a clamd; it must be finished at `deadline`, by the sweeper's clock."""

    def __init__(self, wire: BaseWire, sweeper: Sweeper, deadline: float) -> None:
        self._wire, self._sweeper, self._deadline = wire, sweeper, deadline

    async def send(self, spool: Spool) -> None:
        """Send the content; stop if clamd answers, and closes, before all is sent."""
        self._wire.write(clamd.STREAM_REQUEST)
        for chunk in _chunks(spool):
            self._wire.write(clamd.encode_chunk(chunk))
            while not self._wire.may_write and not self._wire.is_closed:
                await self._wait(self._wire.drain)
            if self._wire.is_closed:
                return  # its answer, if any, is still to be read
        self._wire.write(clamd.STREAM_END)

    async def answer(self) -> bytes:
        wire = self._wire
        while (end := wire.buffer.find(b"\0")) < 0:
            if len(wire.buffer) > clamd.MAX_ANSWER_BYTES:
                raise WireClosed("the scanner's answer is too long")
            await self._wait(wire.more)
        return bytes(wire.buffer[:end])

    async def _wait(self, wait: Callable[[float], Awaitable[None]]) -> None:
        """Wait for bytes, or for room to write. The time-out for connecting is much shorter."""
        wire, left_s = self._wire, self._left_s()
        try:
            await wait(min(CONNECT_S, left_s))
        except WireTimeout:
            if not is_connected(wire.transport.get_extra_info("socket")):
                raise OSError(f"no connection within {CONNECT_S:.0f} s") from None
        except WireClosed:
            if b"\0" in wire.buffer:
                return
            if isinstance(wire.error, OSError):
                raise wire.error from None
            raise

    def _left_s(self) -> float:
        """Return the remaining seconds. Raise `WireTimeout` if there are none."""
        left_s = self._deadline - self._sweeper.now
        if left_s <= 0:
            raise WireTimeout
        return left_s


def _chunks(spool: Spool) -> Iterator[bytes]:
    """Yield the message without dot-stuffing, in large pieces."""
    unstuffer = Unstuffer()
    pending = b""
    for piece in spool.read():
        pending += unstuffer.feed(piece)
        if len(pending) >= _CHUNK_BYTES:
            yield pending
            pending = b""
    pending += unstuffer.feed(b"", is_last=True)
    if pending:
        yield pending


def _attempts(scanners: tuple[ScannerAddress, ...]) -> Iterator[ScannerAddress]:
    """Return the addresses of two tries: at a virtual address, the second usually gets another scanner."""
    if scanners:
        yield scanners[0]
        yield scanners[1] if len(scanners) > 1 else scanners[0]
