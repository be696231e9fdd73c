"""What an agent looks at. Each check returns what is wrong, and nothing when all is well."""

import asyncio
import re
from collections.abc import Awaitable, Callable

_REPLY = re.compile(rb"[2-5][0-9]{2}[ -][^\r\n]*\r\n")
_LARGEST_ANSWER_BYTES = 4_096

Check = Callable[[], Awaitable[str]]


def parse_check(text: str, timeout_s: float) -> Check:
    """Return the check that `smtp:HOST:PORT` or `clamd:HOST:PORT` names. Raise `ValueError`."""
    kind, _, rest = text.partition(":")
    host, _, port = rest.rpartition(":")
    if kind not in _CHECKS or not host or not port.isdigit():
        raise ValueError(f"{text!r} is no check; remedy: write smtp:127.0.0.1:25 or clamd:127.0.0.1:3310")

    async def run() -> str:
        try:
            async with asyncio.timeout(timeout_s):
                problem: str = await _CHECKS[kind](host.strip("[]"), int(port))
        except TimeoutError:
            problem = f"no answer within {timeout_s:g} s"
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            problem = str(error) or type(error).__name__
        return f"{text}: {problem}" if problem else ""

    return run


async def _smtp(host: str, port: int) -> str:
    """Any reply will do: a gateway that is well answers for no server at its own address, and says so."""
    reader, writer = await asyncio.open_connection(host, port, limit=_LARGEST_ANSWER_BYTES)
    try:
        line = await reader.readuntil(b"\r\n")
        return "" if _REPLY.fullmatch(line) else f"greets with {line[:80]!r}"
    finally:
        writer.close()


async def _clamd(host: str, port: int) -> str:
    """PING (clamd(8))."""
    reader, writer = await asyncio.open_connection(host, port, limit=_LARGEST_ANSWER_BYTES)
    try:
        writer.write(b"zPING\0")
        answer = await reader.readuntil(b"\0")
        return "" if answer == b"PONG\0" else f"answers PING with {answer[:80]!r}"
    finally:
        writer.close()


_CHECKS = {"smtp": _smtp, "clamd": _clamd}
