"""The program `postern-sensors` beside a stand-in of the controller and a web server for feeds."""

import os
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.journals import read_journal
from tests.sensors.standin import StandIn

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="ps-") as directory:
        yield Path(directory)


@pytest.fixture
def controller(home: Path) -> Iterator[StandIn]:
    standin = StandIn(home / "api.sock")
    standin.begin()
    yield standin
    standin.end()


class Program:
    """`postern-sensors` as an operator runs it."""

    def __init__(self, home: Path, settings: str) -> None:
        self.home = home
        self.settings = home / "sensors.yaml"
        self.log = home / "sensors.log"
        self.state = home / "state"
        self.write(settings)
        self._process: subprocess.Popen[str] | None = None

    def write(self, settings: str) -> None:
        self.settings.write_text(settings, encoding="utf-8")

    def begin(self, *prefix: str) -> None:
        command = [sys.executable, "-m", "services.sensors.main", "--settings", str(self.settings)]
        command += ["--api", f"unix:{self.home}/api.sock", "--state-dir", str(self.state)]
        self._process = subprocess.Popen(
            [*prefix, *command, "--log", str(self.log)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def hang_up(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def end(self) -> int:
        """Return its exit code after SIGTERM."""
        if self._process is None or self._process.poll() is not None:
            return 0
        self._process.terminate()
        _, said = self._process.communicate(timeout=20)
        assert "Traceback" not in said, said
        return self._process.returncode

    def events(self, name: str) -> list[dict[str, Any]]:
        return read_journal(self.log, name)

    def wait(self, name: str, number: int = 1, patience_s: float = 60.0) -> dict[str, Any]:
        """Return the journal's nth event of a name, as soon as it is there."""
        begun = time.monotonic()
        while time.monotonic() - begun < patience_s:
            if len(found := self.events(name)) >= number:
                return found[number - 1]
            time.sleep(0.02)
        journal = self.log.read_text(encoding="utf-8") if self.log.exists() else "no journal"
        raise AssertionError(f"no {name} number {number} in: {journal}")


@pytest.fixture
def sensors(home: Path) -> Iterator[Callable[[str], Program]]:
    """Start the program with some settings."""
    started: list[Program] = []

    def start(settings: str) -> Program:
        started.append(Program(home, settings))
        started[-1].begin()
        return started[-1]

    yield start
    for each in started:
        assert each.end() == 0


Page = Callable[[BaseHTTPRequestHandler], None]


class _Server(socketserver.ThreadingTCPServer):
    """The library's own HTTP server asks the name service who we are, which takes long where none answers."""

    allow_reuse_address = True
    daemon_threads = True


class Web:
    """A web server whose pages are functions."""

    def __init__(self) -> None:
        web = self
        self.pages: dict[str, Page] = {}
        self.asked: list[dict[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                web.asked.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
                self.close_connection = True
                try:
                    web.pages[self.path](self)
                except OSError:
                    return

            def log_message(self, *_: Any) -> None:
                return

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def serve(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        def page(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        self.pages[path] = page

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()
