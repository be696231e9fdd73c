"""The controller's API over its unix socket or TLS: all requests of programs on hosts go through here."""

import asyncio
import json
from typing import Any

from common.api import ApiAccess, ApiAccessError

_LARGEST_ANSWER_BYTES = 256 * 1024


class NotHeard(Exception):
    """The controller did not answer, or refused; the text says why."""


class ControllerRefused(NotHeard):
    """The controller understood the request and refused it. Sending it again would not help."""


async def request(api: ApiAccess, method: str, path: str, body: bytes = b"", within_s: float = 3.0) -> Any:
    """Return the JSON of the controller's answer to one request. Raise `NotHeard`."""
    try:
        head = _head(api, f"{method} {path}", len(body))
        async with asyncio.timeout(within_s):
            reader, writer = await _connect(api)
            try:
                writer.write(head + body)
                answer = await _read_all(reader)
            finally:
                writer.close()
    except TimeoutError as error:
        raise NotHeard("the controller does not answer") from error
    except ApiAccessError as error:
        raise NotHeard(str(error)) from error
    except OSError as error:
        raise NotHeard(f"the controller cannot be reached at {api.address}: {error}") from error
    return _media_in(answer)


def _head(api: ApiAccess, request_line: str, length: int) -> bytes:
    headers = {
        "Host": api.address.host or "localhost",
        "Content-Type": "application/json",
        "Content-Length": str(length),
        "Connection": "close",
        **api.headers(),
    }
    lines = [f"{request_line} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def _connect(api: ApiAccess) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if api.address.socket:
        return await asyncio.open_unix_connection(api.address.socket)
    return await asyncio.open_connection(api.address.host, api.address.port, ssl=api.tls_context())


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    answer = b""
    while len(answer) <= _LARGEST_ANSWER_BYTES and (more := await reader.read(_LARGEST_ANSWER_BYTES)):
        answer += more
    return answer


def _media_in(answer: bytes) -> Any:
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head[:20]:
        is_final = head[9:10] == b"4" and head[9:12] != b"401"  # the token may be replaced
        kind = ControllerRefused if is_final else NotHeard
        raise kind(f"the controller refused: {(body or head)[:300]!r}")
    try:
        return json.loads(body)
    except ValueError as error:
        raise NotHeard(f"the controller's answer is not JSON: {error}") from error
