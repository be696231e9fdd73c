"""Two ends for a program's HTTP: one records what passes to the real other end, one plays a recording.

Both listen at a unix socket or at a port of loopback, as the program wants it.
"""

import contextlib
import http.client
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.upgrade.dialogues import TAG, TOKEN, Dialogue, Exchange, steady

_ASKED_HEADERS = ("Content-Type", "If-None-Match", "Authorization", "Range", "X-Api-Key")
_ANSWERED_HEADERS = ("Content-Type", "ETag", "X-Postern-Spread")
_WAITS_S = 60.0
SIGNED = (".minisig", "ring.json", "manifest.json")


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    headers: Mapping[str, str]
    body: bytes


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Handler(BaseHTTPRequestHandler):
    """Reads a request of a program, and writes what the end answers."""

    protocol_version = "HTTP/1.1"
    end: "End"

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # a program that is stopped may break off
            super().handle()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: self.headers[name] for name in _ASKED_HEADERS if name in self.headers}
        asked = Asked(self.command, self.path, headers, body)
        try:
            said = self.end.answer(asked)
        except (OSError, http.client.HTTPException):
            self.close_connection = True  # the real other end has ended
            return
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        if said.status not in (204, 304):
            self.send_header("Content-Length", str(len(said.body)))
        self.end_headers()
        self.wfile.write(said.body)
        self.end.asked.append(asked)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        return

    def address_string(self) -> str:
        return "a program"


class End:
    """An HTTP server whose answers `answer` gives; `path`: of its unix socket, None: a port of loopback."""

    def __init__(self, path: Path | None) -> None:
        self.asked: list[Asked] = []  # and answered
        handler = type("Handler", (_Handler,), {"end": self})
        self._server: socketserver.BaseServer
        if path:
            self._server, self.address = _UnixServer(str(path), handler), f"unix:{path}"
        else:
            server = _TcpServer(("127.0.0.1", 0), handler)
            self._server, self.address = server, f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, asked: Asked) -> Said:
        raise NotImplementedError

    def wait_for(self, is_wanted: Callable[[Asked], bool]) -> None:
        """Return when such a request has been answered."""
        deadline = time.monotonic() + _WAITS_S
        while not any(map(is_wanted, tuple(self.asked))):
            assert time.monotonic() < deadline, self.asked
            time.sleep(0.02)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Recorder(End):
    """Passes each request on, and keeps it with its answer. What repeats is kept once."""

    def __init__(self, path: Path | None, other_end: str) -> None:
        self._other_end = other_end
        self._exchanges: list[Exchange] = []
        super().__init__(path)

    def answer(self, asked: Asked) -> Said:
        connection = connect(self._other_end)
        try:
            connection.request(asked.method, asked.path, asked.body or None, dict(asked.headers))
            answer = connection.getresponse()
            found = {name: answer.headers[name] for name in _ANSWERED_HEADERS if name in answer.headers}
            said = Said(answer.status, found, answer.read())
        finally:
            connection.close()
        exchange = _kept(asked, said)
        if exchange not in self._exchanges:
            self._exchanges.append(exchange)
        return said

    def dialogue(self, files: Mapping[str, str]) -> Dialogue:
        return Dialogue(tuple(self._exchanges), files)


class Player(End):
    """Gives the recorded answers, one after the other where one question has several; the last one stays.

    A question that the recording does not have gets no answer while the story is told. `change` may turn an
    answer into that of another release.
    """

    def __init__(self, path: Path | None, dialogue: Dialogue) -> None:
        self.change: Callable[[Any], Any] = lambda answer: answer
        self.recorded = {each.question for each in dialogue.exchanges}
        self._left = list(dialogue.exchanges)
        self._is_over = threading.Event()
        super().__init__(path)

    def answer(self, asked: Asked) -> Said:
        question = _kept(asked, Said(0, {}, b"")).question
        fitting = [each for each in self._left if each.question == question]
        if not fitting:
            self._is_over.wait(_WAITS_S)
            return Said(503, {}, b"")
        if len(fitting) > 1:
            self._left.remove(fitting[0])
        return _said(replace(fitting[0], answer=self.change(fitting[0].answer)))

    def questions(self) -> set[tuple[str, str, bool]]:
        return {_kept(asked, Said(0, {}, b"")).question for asked in self.asked}

    def close(self) -> None:
        self._is_over.set()
        super().close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_WAITS_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_WAITS_S)
        self.sock.connect(self._path)


def connect(address: str) -> http.client.HTTPConnection:
    if address.startswith("unix:"):
        return _UnixConnection(address.removeprefix("unix:"))
    return http.client.HTTPConnection(address.removeprefix("http://"), timeout=_WAITS_S)


def _kept(asked: Asked, said: Said) -> Exchange:
    """Return an exchange without what is secret, or another in each run."""
    is_signed = asked.path.endswith(SIGNED) or "/generations/" in asked.path
    headers = {name: _masked(name, value) for name, value in asked.headers.items()}
    answer_headers = {name: _masked(name, value) for name, value in said.headers.items()}
    body = _media(asked.body, is_signed=False)
    return Exchange(
        asked.method, asked.path, headers, body, said.status, answer_headers, _media(said.body, is_signed)
    )


def _masked(name: str, value: str) -> str:
    match name:
        case "Authorization":
            return f"Bearer {TOKEN}"
        case "ETag" | "If-None-Match":
            return f'"{TAG}"'
    return value


def _media(body: bytes, is_signed: bool) -> Any:
    """Return a body as JSON, or as text if it is signed or is none. Raise `ValueError` if it is neither."""
    text = body.decode()
    if is_signed:
        return text
    try:
        return steady(json.loads(text)) if text else None
    except ValueError:
        return text


def _said(exchange: Exchange) -> Said:
    answer = exchange.answer
    text = answer if isinstance(answer, str) else "" if answer is None else json.dumps(answer)
    return Said(exchange.status, exchange.answer_headers, text.encode())
