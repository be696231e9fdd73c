"""A controller over its real API at a unix socket, and agents as programs beside it."""

import json
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest

from controller.pools.health import Health, Opinion
from tests.api.conftest import Northbound
from tests.setup.clamd import SIGNATURES, Clamd, copy_signatures

ROOT = Path(__file__).parents[2]
StartClamd = Callable[..., Clamd]


class _UnixServer(WSGIServer):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", 0
        self.setup_environ()


class _Quiet(WSGIRequestHandler):
    def setup(self) -> None:
        self.client_address = ("unix", 0)  # a peer at a unix socket has none
        super().setup()

    def log_message(self, *_: Any) -> None:
        return


class Watched:
    """A controller, and what it knows of its members. Time is real."""

    def __init__(self, directory: Path, policy: str) -> None:
        self.socket = directory / "api.sock"
        self._directory = directory
        self._northbound = Northbound()
        self._begun = time.monotonic()
        self._alone = threading.Lock()  # the controller does one thing at a time
        self._northbound.world.start("policy.yaml", policy)
        self._server = _UnixServer(str(self.socket), _Quiet)  # type: ignore[arg-type]
        self._server.set_app(self._answer)
        self._agents: list[subprocess.Popen[str]] = []
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _answer(self, environment: Any, start_response: Any) -> Any:
        with self._alone:
            self._northbound.world.now = time.monotonic() - self._begun
            return self._northbound.as_operator(environment, start_response)

    def answer_with(self, media: object) -> list[dict[str, Any]]:
        """Answer from now on as another release would; return the list of reports that come in."""
        reports: list[dict[str, Any]] = []

        def answer(environment: Any, start_response: Any) -> list[bytes]:
            size = int(environment.get("CONTENT_LENGTH") or 0)
            reports.append(json.loads(environment["wsgi.input"].read(size) or b"{}"))
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(media).encode()]

        self._server.set_app(answer)
        return reports

    def apply(self, policy: str) -> None:
        with self._alone:
            self._northbound.world.apply(policy, "policy.yaml")

    def start_agent(self, member: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "services.health_agent.main", "--api", f"unix:{self.socket}"]
        agent = subprocess.Popen(
            [*command, "--member", member],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self._agents.append(agent)
        return agent

    def health(self, member: str) -> Health:
        return self._northbound.world.core.roster.find(member).health

    def wait(self, member: str, is_so: Callable[[Health], bool], patience_s: float = 60.0) -> float:
        """Return after how many seconds a member's health was as wanted."""
        begun = time.monotonic()
        while not is_so(self.health(member)):
            assert time.monotonic() - begun < patience_s, self.health(member)
            time.sleep(0.01)
        return time.monotonic() - begun

    def wait_until_well(self, member: str) -> float:
        """Wait for reports that say so: what the controller trusts at its start does not count."""
        return self.wait(member, lambda health: health.heard_at > 0 and health.opinion is Opinion.GOOD)

    def wait_until_ill(self, member: str) -> float:
        return self.wait(member, lambda health: health.opinion is Opinion.BAD)

    def close(self) -> None:
        for agent in self._agents:
            agent.kill()
            agent.communicate()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def watched() -> Iterator[Callable[[str], Watched]]:
    """Start a controller with a policy."""
    started: list[Watched] = []
    with tempfile.TemporaryDirectory(prefix="pt-") as directory:

        def start(policy: str) -> Watched:
            started.append(Watched(Path(directory), policy))
            return started[-1]

        yield start
        for each in started:
            each.close()


@pytest.fixture
def start_clamd() -> Iterator[StartClamd]:
    """Start a clamd with the files given, beside those of the repository unless told otherwise."""
    started: list[tuple[Clamd, Path]] = []

    def start(has_canary: bool = True, **content_by_name: bytes) -> Clamd:
        home = Path(tempfile.mkdtemp(prefix="postern-clamd-"))
        signatures = home / "signatures"
        copy_signatures(SIGNATURES, signatures) if has_canary else signatures.mkdir()
        for name, content in content_by_name.items():
            (signatures / name.replace("_", ".")).write_bytes(content)
        scanner = Clamd(home, signatures)
        started.append((scanner, home))
        scanner.start()
        return scanner

    yield start
    for scanner, home in started:
        scanner.stop()
        shutil.rmtree(home)
