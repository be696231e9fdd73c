"""Asks clamd about one message over one connection: at the pool's virtual address the switch balances.

Only bytes already held are sent, so a slow sender never holds a scanner. One
failure is asked again, elsewhere if there is an elsewhere; after that the
verdict is `unavailable`, and never clean.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

from services.base import clamd
from services.base.clamd import Verdict, VerdictKind
from services.mail.relay.ports import Spool
from services.mail.settings import ScannerAddress
from services.smtp.data import Unstuffer

CONNECT_S = 3.0
ANSWER_S = 20.0
_VERSION_S = 5.0
_CACHED_VERDICTS = 10_000
_CHUNK_BYTES = 128 * 1024


class ClamdScanners:
    """Scans messages; remembers what was found, for as long as the signatures stay the same."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._version: dict[ScannerAddress, tuple[str, float]] = {}
        self._found: OrderedDict[tuple[str, str], Verdict] = OrderedDict()

    async def scan(self, spool: Spool, scanners: tuple[ScannerAddress, ...]) -> Verdict:
        """Return the verdict on a whole message. Never raises: no answer is `unavailable`.

        Asking has deadlines of asyncio's, so it runs in a task: the dialogue that waits for it runs in none.
        """
        return await self._loop.create_task(self._scan(spool, scanners))

    async def _scan(self, spool: Spool, scanners: tuple[ScannerAddress, ...]) -> Verdict:
        last = Verdict(VerdictKind.UNAVAILABLE, "no scanner is configured")
        for address in _attempts(scanners):
            try:
                async with asyncio.timeout(ANSWER_S):
                    verdict = await self._ask(spool, address)
            except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
                verdict = Verdict(VerdictKind.UNAVAILABLE, _reason(error), str(address))
            if verdict.kind is not VerdictKind.UNAVAILABLE:
                return verdict
            last = verdict
        return last

    async def _ask(self, spool: Spool, address: ScannerAddress) -> Verdict:
        version = await self._signatures(address)
        known = self._found.get((spool.sha256, version))
        if known is not None and version:
            return Verdict(known.kind, known.detail, known.scanner, is_cached=True)
        async with _connected(address) as (reader, writer):
            verdict = await _stream(spool, address, reader, writer)
        # Only what was found is remembered: a forgotten scan must never pass a message.
        if verdict.kind is VerdictKind.INFECTED and version:
            self._found[spool.sha256, version] = verdict
            if len(self._found) > _CACHED_VERDICTS:
                self._found.popitem(last=False)
        return verdict

    async def _signatures(self, address: ScannerAddress) -> str:
        """Return the version of the signatures, at most a few seconds old; empty if unknown."""
        version, asked_at = self._version.get(address, ("", -_VERSION_S))
        if self._loop.time() - asked_at < _VERSION_S:
            return version
        async with _connected(address) as (reader, writer):
            writer.write(clamd.VERSION_REQUEST)
            answer = await reader.readuntil(b"\0")
        version = answer[:-1].decode("utf-8", "replace")
        self._version[address] = version, self._loop.time()
        return version


def _attempts(scanners: tuple[ScannerAddress, ...]) -> Iterator[ScannerAddress]:
    """Two tries: at a virtual address a second connection usually meets another scanner."""
    if scanners:
        yield scanners[0]
        yield scanners[1] if len(scanners) > 1 else scanners[0]


@asynccontextmanager
async def _connected(
    address: ScannerAddress,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(CONNECT_S):
        if address.unix:
            reader, writer = await asyncio.open_unix_connection(address.unix, limit=clamd.MAX_ANSWER_BYTES)
        else:
            reader, writer = await asyncio.open_connection(
                address.host, address.port, limit=clamd.MAX_ANSWER_BYTES
            )
    try:
        yield reader, writer
    finally:
        writer.close()


async def _stream(
    spool: Spool, address: ScannerAddress, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Verdict:
    """Send the content and return the verdict; clamd may answer, and close, before all is sent."""
    with suppress(ConnectionError):  # its answer, if it gave one, is still to be read
        await _send_content(spool, writer)
    answer = await reader.readuntil(b"\0")
    return clamd.parse_answer(answer[:-1], str(address))


async def _send_content(spool: Spool, writer: asyncio.StreamWriter) -> None:
    writer.write(clamd.STREAM_REQUEST)
    unstuffer = Unstuffer()
    pending = b""
    for piece in spool.read():
        pending += unstuffer.feed(piece)
        if len(pending) >= _CHUNK_BYTES:
            writer.write(clamd.encode_chunk(pending))
            pending = b""
            await writer.drain()
    pending += unstuffer.feed(b"", is_last=True)
    if pending:
        writer.write(clamd.encode_chunk(pending))
    writer.write(clamd.STREAM_END)
    await writer.drain()


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {ANSWER_S:.0f} s"
    if isinstance(error, asyncio.IncompleteReadError):
        return "the scanner closed the connection without a verdict"
    return str(error) or type(error).__name__
