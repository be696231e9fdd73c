import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest

from cli.main import main
from tests.api.conftest import Northbound


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        return


class _Server(WSGIServer):
    """The standard library's WSGI server on a unix socket; one request at a time, as in the controller."""

    address_family = socket.AF_UNIX

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        super().__init__(("", 0), _Quiet)

    def server_bind(self) -> None:
        self.socket.bind(self._path)
        self.server_name, self.server_port = "localhost", 0
        self.setup_environ()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, _ = self.socket.accept()
        return connection, ("local", 0)


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


Postern = Callable[..., Answer]


@pytest.fixture
def socket_path() -> Iterator[Path]:
    # A unix socket's path holds about 100 characters, less than pytest's own directories.
    with tempfile.TemporaryDirectory(prefix="pt-") as directory:
        yield Path(directory) / "api.sock"


@pytest.fixture
def postern(
    socket_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Postern:
    """Run one command as a shell would, with the API where the environment says."""
    monkeypatch.setenv("POSTERN_API", f"unix:{socket_path}")

    def run(*arguments: object) -> Answer:
        code = main([str(argument) for argument in arguments])
        written = capsys.readouterr()
        return Answer(code, written.out, written.err)

    return run


@pytest.fixture
def controller(socket_path: Path) -> Iterator[Northbound]:
    """A controller with the demo's policy and one switch, serving its API on the socket."""
    north = Northbound()
    north.start()
    north.connect()
    with _Server(socket_path) as server:
        server.set_app(north.as_operator)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield north
        finally:
            server.shutdown()
            thread.join()
