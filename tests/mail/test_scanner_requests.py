"""Scanners that answer early, late, wrongly or not at all, over real sockets, by a clock of the test."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from services.base.clamd import Verdict, VerdictKind
from services.mail.io.driver import Driver
from services.mail.io.scanners import ClamdScanners
from services.mail.io.wire import Outbox, Sweeper
from services.mail.settings import ScannerAddress
from tests.mail.conftest import free_port
from tests.mail.playbook.memory import MemorySpool

Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class FakeClamd:
    """Gives its version; what it does with a message is `behave`."""

    def __init__(self, behave: Behave) -> None:
        self._behave = behave
        self.scans = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await reader.readuntil(b"\0") == b"zVERSION\0":
                writer.write(b"ClamAV 1.4/27000\0")
            else:
                self.scans += 1
                await self._behave(reader, writer)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Return the message in clamd's chunks (clamd(8), INSTREAM)."""
    content = b""
    while size := int.from_bytes(await reader.readexactly(4)):
        content += await reader.readexactly(size)
    return content


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        return self.now


def scan(behave: Behave, content: bytes, *, times: int = 1, attempts: int = 0) -> tuple[Verdict, int]:
    """Return the last verdict, and how many scans were begun. In `attempts` scans time flies."""

    async def main() -> tuple[Verdict, int]:
        loop, fake, clock = asyncio.get_running_loop(), FakeClamd(behave), Clock()
        server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
        address = ScannerAddress("127.0.0.1", server.sockets[0].getsockname()[1])
        sweeper = Sweeper(clock.read)
        scanners = ClamdScanners(loop, sweeper, Outbox(loop.call_soon))
        found: list[Verdict] = []

        async def dialogue() -> None:
            for _ in range(times):
                found.append(await scanners.scan(spool_of(content), (address,)))

        ended: asyncio.Future[BaseException | None] = loop.create_future()
        Driver(dialogue(), ended.set_result).step()
        for attempt in range(1, attempts + 1):
            while fake.scans < attempt:
                await asyncio.sleep(0.001)
            for _ in range(21):
                await asyncio.sleep(0)
                clock.now += 1.0
                sweeper.sweep()
        error = await ended
        server.close()
        assert error is None
        return found[-1], fake.scans

    return uvloop.run(main())


def spool_of(content: bytes) -> MemorySpool:
    spool = MemorySpool(len(content))
    for at in range(0, len(content), 65_536):
        spool.write(content[at : at + 65_536])
    return spool


async def find(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    found = b"evil" in await read_all(reader)
    writer.write(b"stream: Some.Evil FOUND\0" if found else b"stream: OK\0")


async def answer_early(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"INSTREAM size limit exceeded. ERROR\0")


async def close_in_the_middle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_all(reader)
    writer.write(b"stream: O")


async def talk_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_all(reader)
    for _ in range(100):
        writer.write(b"stream: OK" * 100)


async def say_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def never_read(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def answer_in_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_all(reader)
    for piece in (b"stre", b"am: ", b"OK", b"\0"):
        writer.write(piece)
        await writer.drain()


@pytest.mark.parametrize(
    ("behave", "content", "kind"),
    [
        (find, b"harmless", VerdictKind.CLEAN),
        (find, b"", VerdictKind.CLEAN),
        (find, b"x" * 3_000_000 + b"evil", VerdictKind.INFECTED),
        (answer_in_pieces, b"x", VerdictKind.CLEAN),
        (close_in_the_middle, b"x", VerdictKind.UNAVAILABLE),
        (talk_without_end, b"x", VerdictKind.UNAVAILABLE),
    ],
)
def test_only_a_whole_answer_of_a_scanner_is_a_verdict(
    behave: Behave, content: bytes, kind: VerdictKind
) -> None:
    verdict, _ = scan(behave, content)
    assert verdict.kind is kind


def test_a_scanner_that_answers_before_all_is_sent_is_never_taken_for_clean() -> None:
    verdict, _ = scan(answer_early, b"x" * 20_000_000)
    assert verdict.kind in (VerdictKind.LIMITS, VerdictKind.UNAVAILABLE)


@pytest.mark.parametrize("behave", [say_nothing, never_read])
@pytest.mark.parametrize("size", [10, 20_000_000])
def test_a_scanner_that_says_nothing_is_asked_twice_and_then_given_up(behave: Behave, size: int) -> None:
    verdict, scans = scan(behave, b"x" * size, attempts=2)
    assert (verdict.kind, verdict.detail, scans) == (VerdictKind.UNAVAILABLE, "no answer within 20 s", 2)


def test_what_was_found_is_remembered_for_the_same_signatures() -> None:
    verdict, scans = scan(find, b"evil", times=2)
    assert (verdict.kind, verdict.is_cached, scans) == (VerdictKind.INFECTED, True, 1)


def test_a_scanner_that_is_not_there_is_named_with_the_reason() -> None:
    async def main() -> Verdict:
        loop, sweeper = asyncio.get_running_loop(), Sweeper()
        scanners = ClamdScanners(loop, sweeper, Outbox(loop.call_soon))
        found: asyncio.Future[Verdict] = loop.create_future()

        async def dialogue() -> None:
            found.set_result(await scanners.scan(MemorySpool(10), (ScannerAddress("localhost", port),)))

        Driver(dialogue(), lambda error: None).step()
        return await found

    port = free_port()
    verdict = uvloop.run(main())
    assert verdict.kind is VerdictKind.UNAVAILABLE
    assert "refused" in verdict.detail and verdict.scanner == f"localhost:{port}"
