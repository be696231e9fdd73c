"""The controller as an agent sees it: reports go there, settings come back. HTTP over its unix socket."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from services.agent.settings import AgentSettings, SettingsError, parse_settings

_LARGEST_ANSWER_BYTES = 256 * 1024
_TIMEOUT_S = 3.0


class NotHeard(Exception):
    """The controller did not answer, or refused; the text says why."""


@dataclass(frozen=True, slots=True)
class Report:
    problem: str = ""
    stale: str = ""


class Controller:
    def __init__(self, socket: str, member: str) -> None:
        self._socket = socket
        self._path = f"/v1/members/{quote(member, safe='')}/health"

    async def settings(self) -> AgentSettings:
        """Ask what to look at. Raise `NotHeard`."""
        return _settings_in(await self._request("GET", b""))

    async def report(self, report: Report) -> AgentSettings:
        """Say how the member is; return what to look at from now on. Raise `NotHeard`."""
        said = {"good": not report.problem, "detail": report.problem, "stale": report.stale}
        return _settings_in(await self._request("POST", json.dumps(said).encode()))

    async def _request(self, method: str, body: bytes) -> Any:
        head = (
            f"{method} {self._path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(self._socket)
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
        raise NotHeard(f"the controller refused: {(body or head)[:300]!r}")
    try:
        return json.loads(body)
    except ValueError as error:
        raise NotHeard(f"the controller's answer is no JSON: {error}") from error


def _settings_in(media: Any) -> AgentSettings:
    try:
        return parse_settings(media.get("agent") if isinstance(media, dict) else None)
    except SettingsError as error:
        raise NotHeard(f"the controller's settings make no sense: {error}") from error
