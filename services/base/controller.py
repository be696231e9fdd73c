"""HTTP over the controller's unix socket: what every program on a host asks and tells goes through here."""

import asyncio
import json
from typing import Any

_LARGEST_ANSWER_BYTES = 256 * 1024


class NotHeard(Exception):
    """The controller did not answer, or refused; the text says why."""


class ControllerRefused(NotHeard):
    """The controller understood and will not: the same request again would change nothing."""


async def request(socket: str, method: str, path: str, body: bytes = b"", within_s: float = 3.0) -> Any:
    """Return the JSON of the controller's answer to one request. Raise `NotHeard`."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write(head.encode() + body)
                answer = await _read_all(reader)
            finally:
                writer.close()
    except TimeoutError as error:
        raise NotHeard("the controller does not answer") from error
    except OSError as error:
        raise NotHeard(f"the controller cannot be reached: {error}") from error
    return _media_in(answer)


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    answer = b""
    while len(answer) <= _LARGEST_ANSWER_BYTES and (more := await reader.read(_LARGEST_ANSWER_BYTES)):
        answer += more
    return answer


def _media_in(answer: bytes) -> Any:
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head[:20]:
        kind = ControllerRefused if head[9:10] == b"4" else NotHeard
        raise kind(f"the controller refused: {(body or head)[:300]!r}")
    try:
        return json.loads(body)
    except ValueError as error:
        raise NotHeard(f"the controller's answer is not JSON: {error}") from error
