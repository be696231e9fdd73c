"""The HTTP client for anti-virus servers, with limits on time and bytes, and a byte counter."""

import contextlib
import http.client
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from urllib.parse import urlsplit

_ANSWERS_WITHIN_S = 15.0
_WAITS_AT_MOST_S = 60.0
_PIECE = 64 * 1024
_SPREAD = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?")


class UpdateNotFetched(Exception):
    """A request to a server failed; the text says why."""


class Fetcher:
    """A client of one address. Several servers may be behind it, so a conversation is one connection."""

    def __init__(self, url: str) -> None:
        """Raise `ValueError` if the URL is not of the form http://HOST[:PORT]."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError(f"{url}: must have the form http://HOST[:PORT]")
        self._host, self._port = parts.hostname, parts.port or 80
        self.received_bytes = 0

    @contextmanager
    def conversation(self) -> "Iterator[FetchConnection]":
        """Open one connection: all answers on it come from one server. Raise `UpdateNotFetched`."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_ANSWERS_WITHIN_S)
        try:
            yield FetchConnection(self, connection)
        except (OSError, http.client.HTTPException) as error:
            raise UpdateNotFetched(f"{self._host}: {_in_words(error)}") from error
        finally:
            connection.close()

    def wait(self, serial: int) -> float | None:
        """Return when our ring may have a new serial, or None when it is time to ask again.

        The number is the period, in seconds, within which to fetch at a random time. The server sets it by
        the number of waiting clients.
        """
        with self.conversation() as said:
            said.connection.timeout = _WAITS_AT_MOST_S
            status, _ = said.ask("GET", f"/v1/wait?serial={serial}", most=_PIECE)
            spread = said.headers.get("X-Postern-Spread", "")
            if status not in (200, 204):
                raise UpdateNotFetched(f"/v1/wait: status {status}")
            if status == 204:
                return None
            return float(spread) if _SPREAD.fullmatch(spread) else 0.0

    def report(self, body: bytes) -> None:
        with self.conversation() as said:
            status, _ = said.ask("POST", "/v1/report", body, most=_PIECE)
            if status != 204:
                raise UpdateNotFetched(f"/v1/report: status {status}")


class FetchConnection:
    def __init__(self, fetcher: Fetcher, connection: http.client.HTTPConnection) -> None:
        self._fetcher, self.connection = fetcher, connection
        self.headers: Message = Message()  # of the last answer

    def get(self, path: str, most: int) -> bytes:
        """Return a whole document of at most `most` bytes. Raise `UpdateNotFetched`."""
        status, body = self.ask("GET", path, most=most)
        if status != 200:
            raise UpdateNotFetched(f"{path}: status {status}")
        return body

    def get_from(self, path: str, first: int, most: int) -> bytes:
        """Return the end of a document; nothing if the server sends no ranges. Raise `UpdateNotFetched`."""
        status, body = self.ask("GET", path, most=most, span=f"bytes={first}-")
        return body if status == 206 else b""

    def ask(
        self, method: str, path: str, body: bytes | None = None, *, most: int, span: str = ""
    ) -> tuple[int, bytes]:
        headers = {"User-Agent": "postern-av-agent", **({"Range": span} if span else {})}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        self.headers = answer.headers
        read = answer.read(most + 1)
        if len(read) > most:
            raise UpdateNotFetched(f"{path}: larger than {most} bytes")
        if answer.length:
            raise UpdateNotFetched(
                f"{path}: ended after {len(read)} bytes, {answer.length} bytes are missing"
            )
        self._fetcher.received_bytes += len(read) + len(bytes(answer.headers))
        return answer.status, read


def _in_words(error: Exception) -> str:
    if isinstance(error, TimeoutError | socket.timeout):
        return f"no answer within {_ANSWERS_WITHIN_S:.0f} s"
    with contextlib.suppress(AttributeError):
        return str(error.strerror or error) or type(error).__name__  # type: ignore[attr-defined]
    return str(error) or type(error).__name__
