"""The checks of an agent. Each returns what is wrong, or an empty text if the service is healthy."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import singledispatch

from common.wire.health import Check, ClamdCheck, HttpCheck, SmtpCheck, TcpCheck
from services.base import clamd

_OWN_HOST = "127.0.0.1"
# Source address on the agent's own host. It tells an agent's scans from those of mail in clamd's log.
AGENT_ADDRESS = "127.0.0.2"
_LARGEST_ANSWER_BYTES = 16 * 1024
_MOST_LINES = 100
_LATE_S = 0.2
_REPLY = re.compile(rb"([2-5][0-9]{2})([ -])[^\r\n]*\r\n")  # RFC 5321, 4.2
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")  # RFC 9112, 4

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class HeldUp(Exception):
    """The agent itself was delayed, so it cannot tell whether the service was late."""


async def bounded(timeout_s: float, ask: Callable[[], Awaitable[str]]) -> str:
    """Return what is wrong, including no answer in time. Raise `HeldUp`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    try:
        async with asyncio.timeout_at(deadline):
            return await ask()
    except TimeoutError as error:
        if loop.time() - deadline > _LATE_S:
            raise HeldUp from error
        return f"no answer within {timeout_s:g} s"
    except asyncio.IncompleteReadError as error:
        return f"closed the connection after {len(error.partial)} bytes"
    except (OSError, asyncio.LimitOverrunError) as error:
        return str(error) or type(error).__name__


async def carry_out(check: Check, host: str, timeout_s: float) -> str:
    """Return what is wrong, with the name of the check. Raise `HeldUp`."""
    problem = await bounded(timeout_s, lambda: _ask(check, host))
    return f"{check.kind}:{host}:{check.port}: {problem}" if problem else ""


@asynccontextmanager
async def connected(host: str, port: int) -> AsyncIterator[Streams]:
    local = (AGENT_ADDRESS, 0) if host == _OWN_HOST else None
    reader, writer = await asyncio.open_connection(host, port, local_addr=local, limit=_LARGEST_ANSWER_BYTES)
    try:
        yield reader, writer
    finally:
        writer.close()


@singledispatch
async def _ask(check: Check, host: str) -> str:
    raise AssertionError(f"unknown kind of check: {check} on {host}")


@_ask.register
async def _(check: SmtpCheck, host: str) -> str:
    async with connected(host, check.port) as (reader, writer):
        if problem := await _await_reply(reader, b"220", "greets"):
            return problem
        writer.write(b"EHLO postern-agent.invalid\r\n")
        problem = await _await_reply(reader, b"250", "answers EHLO")
        writer.write(b"QUIT\r\n")
        return problem


async def _await_reply(reader: asyncio.StreamReader, wanted: bytes, does: str) -> str:
    """Read a reply of one or more lines. Return what is wrong with it."""
    for _ in range(_MOST_LINES):
        line = await reader.readuntil(b"\n")
        found = _REPLY.fullmatch(line)
        if not found or found[1] != wanted:
            return f"{does} with {line[:80]!r}"
        if found[2] == b" ":
            return ""
    return f"{does} with an endless reply"


@_ask.register
async def _(check: ClamdCheck, host: str) -> str:
    async with connected(host, check.port) as (reader, writer):
        writer.write(clamd.PING_REQUEST)
        answer = await reader.readuntil(b"\0")
        return "" if answer == b"PONG\0" else f"answers PING with {answer[:80]!r}"


@_ask.register
async def _(check: HttpCheck, host: str) -> str:
    async with connected(host, check.port) as (reader, writer):
        name = f"[{host}]" if ":" in host else host
        head = f"GET {check.path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode("ascii"))
        answer = await reader.readuntil(b"\r\n\r\n")
        found = _STATUS.match(answer)
        if not found:
            return f"answers GET {check.path} with {answer[:80]!r}"
        status = int(found[1])
        return "" if status == check.status else f"answers GET {check.path} with status {status}"


@_ask.register
async def _(check: TcpCheck, host: str) -> str:
    async with connected(host, check.port) as (reader, _):
        wanted = check.banner.encode("ascii")
        said = await reader.readexactly(len(wanted))
        return "" if said == wanted else f"sends {said!r} instead of {check.banner!r}"
