"""A builder's store, a real anti-virus server with its nginx, and agents, all on loopback."""

import json
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from common.wire.generations import RingTarget
from services.antivirus.builder.publisher import Publisher
from services.antivirus.builder.store import Store
from services.antivirus.formats import encode, ring_comment
from services.antivirus.signing import sign
from tests.journals import read_journal
from tests.mail.conftest import free_port

PATIENCE_S = 60.0
CANARY_TENANT, OTHER_TENANT, STRANGER = "127.0.0.1", "127.0.0.7", "127.0.0.8"


def await_that(condition: Callable[[], Any], what: str) -> Any:
    """Return what a condition gives as soon as it is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)
    return found


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(Store(tmp_path / "store"))


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """Something that nobody knows yet."""
    file = tmp_path / "sample.bin"
    file.write_bytes(b"PT" + secrets.token_bytes(500))
    return file


def put_settings(path: Path, **what: object) -> None:
    """Do as the controller does: the whole file at once."""
    facts: dict[str, object] = {"format": 1, "revision": 1, "role": "antivirus", "pool": "antivirus"}
    facts |= {"port": 80, "addresses": [], "immunity": "simulate", "clients": []}
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(facts | what), encoding="utf-8")
    beside.replace(path)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """One `postern-antivirus`."""

    store: Store
    home: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None
    rings: dict[str, str] = field(default_factory=lambda: {CANARY_TENANT: "canary", OTHER_TENANT: "all"})
    program: Sequence[str] = (sys.executable, "-m", "services.antivirus.server.main")
    environment: Mapping[str, str] | None = None  # None: ours

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self) -> None:
        clients = [
            {"name": f"t{number}", "kind": "tenant", "ring": ring, "sources": [source]}
            for number, (source, ring) in enumerate(self.rings.items())
        ]
        put_settings(self.home.with_suffix(".json"), port=self.port, addresses=["127.0.0.1"], clients=clients)

    def start(self, *more: str) -> None:
        self.configure()
        command = [*self.program, "--name", "av1"]
        command += ["--settings", str(self.home.with_suffix(".json")), "--source", str(self.store.root)]
        command += ["--home", str(self.home), "--public-key", str(self.store.public_key)]
        command += ["--log", str(self.home.with_suffix(".log"))]
        self.process = subprocess.Popen([*command, *more], env=self.environment)
        await_that(lambda: self.is_up, "the server answers")

    @property
    def is_up(self) -> bool:
        assert self.process and self.process.poll() is None, "the server has ended"
        try:
            return self.get("/healthz").status in (200, 503)
        except OSError:
            return False

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(PATIENCE_S)
            self.process = None

    def get(self, path: str, source: str = CANARY_TENANT, method: str = "GET", **headers: str) -> Answer:
        """Ask from an address, without a library that would tidy up."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S, (source, 0)) as connection:
            more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
            request = f"{method} {path} HTTP/1.1\r\nHost: av\r\nConnection: close\r\n{more}\r\n"
            connection.sendall(request.encode())
            received = b""
            while more_bytes := connection.recv(65_536):
                received += more_bytes
        head, _, body = received.partition(b"\r\n\r\n")
        if not head:
            raise ConnectionError("closed without an answer")
        first, *lines = head.decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        return Answer(int(first.split()[1]), {name.lower(): value for name, value in pairs}, body)

    def generation(self, source: str = CANARY_TENANT) -> int:
        answer = self.get("/ring.json", source)
        return int(json.loads(answer.body)["generation"]) if answer.status == 200 else 0

    def events(self, name: str) -> list[dict[str, Any]]:
        return read_journal(self.home.with_suffix(".log"), name)


def open_to_others(path: Path) -> None:
    """Let nginx's workers, who are another user, into a directory of this run's (`tests.conftest`)."""
    assert path.parent != Path("/tmp"), "that one has rights of its own"
    for directory in (path, path.parent):
        directory.chmod(0o755)


@pytest.fixture
def server(publisher: Publisher, tmp_path: Path) -> Iterator[Server]:
    """A server of a store with one generation."""
    open_to_others(tmp_path)
    publisher.publish("the first", at_once=True)
    made = Server(publisher.store, tmp_path / "av1", free_port())
    try:
        made.start()
        await_that(made.generation, "the first generation is served")
        yield made
    finally:
        made.stop()


@dataclass
class Client:
    """One host with an agent."""

    home: Path
    public_key: Path
    url: str

    @property
    def database(self) -> Path:
        return self.home / "database"

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads((self.home / "state" / "state.json").read_bytes()))

    def command(self, *more: str) -> list[str]:
        self.database.mkdir(parents=True, exist_ok=True)
        (self.home / "state").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "services.antivirus.agent.main", "--server", self.url]
        command += ["--database", str(self.database), "--state", str(self.home / "state")]
        return [*command, "--public-key", str(self.public_key), "--spread", "0s", *more]

    def update(self, *more: str) -> "subprocess.CompletedProcess[str]":
        """Update once."""
        command = self.command("--once", *more)
        return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)

    def finds(self, file: Path) -> bool:
        """Have the client's own clamscan look at a file; the database must load."""
        command = ["clamscan", "--no-summary", f"--database={self.database}", str(file)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode == 1


@pytest.fixture
def client(server: Server, tmp_path: Path) -> Client:
    return Client(tmp_path / "pc1", server.store.public_key, server.url)


def forge_ring(store: Store, name: str, ring: RingTarget, key: Path) -> None:
    """Put a ring in place whatever it says, signed with a key."""
    directory = store.rings / f".forged-{secrets.token_hex(4)}"
    directory.mkdir()
    (directory / "ring.json").write_bytes(encode(ring))
    sign(key, directory / "ring.json", ring_comment(ring.serial))
    link = store.rings / f".link-{secrets.token_hex(4)}"
    link.symlink_to(directory.name)
    link.replace(store.rings / name)


def tamper(store: Store, generation: int, name: str, data: bytes) -> None:
    """Change a file of a generation, read-only or not."""
    directory = store.directory(generation)
    directory.chmod(0o755)
    (directory / name).chmod(0o644)
    (directory / name).write_bytes(data)
