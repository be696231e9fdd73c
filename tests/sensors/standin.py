"""A controller's API on a unix socket that only records what it is asked; it may be away, or cross."""

import json
import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    media: Any


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class StandIn:
    """What the contract says of /v1/evidence, /v1/decisions and /v1/origins, without any ledger behind it."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.requests: list[Request] = []
        self.status = 200
        self.refusal = ""
        self._server: _Server | None = None

    def begin(self) -> None:
        standin = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                request = Request(
                    self.command, unquote(parts.path), query, json.loads(body) if body else None
                )
                answer = json.dumps(standin.take(request)).encode()
                self.send_response(standin.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                return

            def address_string(self) -> str:
                return "unix"

        self.socket.unlink(missing_ok=True)
        self._server = _Server(str(self.socket), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def end(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            self.socket.unlink(missing_ok=True)

    def take(self, request: Request) -> Any:
        if self.status != 200:
            return {"errors": ["not today; remedy: tomorrow"]}
        self.requests.append(request)
        entries = request.media or {}
        match request.method:
            case "PUT":
                return {
                    "added": len(entries["decisions"]),
                    "deleted": 0,
                    "kept": 0,
                    "refused": [],
                    "refused_count": 0,
                }
            case "POST" if request.path == "/v1/evidence":
                return {"accepted": len(entries["evidence"]), "refused": []}
            case _:
                refusals = [{"index": 0, "error": self.refusal}] if self.refusal else []
                return {"accepted": [], "refused": refusals}

    def wait(self, is_wanted: Callable[[Request], bool], patience_s: float = 60.0) -> Request:
        """Return the newest request that is wanted, as soon as there is one."""
        begun = time.monotonic()
        while time.monotonic() - begun < patience_s:
            for request in reversed(self.requests):
                if is_wanted(request):
                    return request
            time.sleep(0.02)
        raise AssertionError(f"no such request, only {self.requests}")

    def wait_for_origin(self, origin: str, values: set[str], patience_s: float = 60.0) -> Request:
        """Return the request that made an origin hold exactly these values."""

        def is_wanted(request: Request) -> bool:
            return (
                request.method == "PUT"
                and request.path == f"/v1/origins/{origin}"
                and {each["value"] for each in request.media["decisions"]} == values
            )

        return self.wait(is_wanted, patience_s)

    def evidence(self) -> list[Any]:
        return [
            each
            for request in self.requests
            if request.path == "/v1/evidence"
            for each in request.media["evidence"]
        ]
