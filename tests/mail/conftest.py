import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from common.apparmor import unconfined
from tests.journals import read_journal
from tests.mail.scripted import Client, ScriptedServer

ROOT = Path(__file__).parents[2]
# EICAR's harmless test string, in two parts so that no scanner takes this file for it.
EICAR = b"".join((rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$", rb"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"))


_MOST_KEPT = 100
_kept: deque[socket.socket] = deque()


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has, below those of outgoing connections (ip_local_port_range).

    A port of those may be taken by any connection. A test that asks there whether its server is up yet may
    even connect to itself; then the server cannot have the port for a minute.
    """
    return [free_port() for _ in range(count)]


def free_port() -> int:
    """Return such a port, and keep it: nobody else is given it before a program listens there."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        keeper = socket.socket()
        try:
            keeper.bind(("0.0.0.0", port))
        except OSError:
            keeper.close()
            continue
        # Set only now: who looks for a free port does not get it, who means this one may listen at it.
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _kept.append(keeper)
        if len(_kept) > _MOST_KEPT:
            _kept.popleft().close()
        return port
    raise AssertionError("no ports are free")


def wait_for_port(address: str, port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(2_400):
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        with socket.socket() as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.025)
    raise AssertionError(f"nothing listens at {address}:{port}")


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class RunningGateway:
    process: subprocess.Popen[bytes]
    port: int
    settings_file: Path
    log: Path
    settings: dict[str, Any]
    clients: list[Client] = field(default_factory=list)

    def client(self, source: str = "127.0.2.5") -> Client:
        """Connect; the connection is closed when the test is over, if not before."""
        self.clients.append(Client(self.port, source))
        return self.clients[-1]

    def events(self, name: str = "") -> list[dict[str, Any]]:
        return read_journal(self.log, name)

    def wait_for(self, name: str, count: int = 1) -> dict[str, Any]:
        for _ in range(2_400):
            if len(found := self.events(name)) >= count:
                return found[-1]
            time.sleep(0.025)
        raise AssertionError(f"no {name} among {[event['event'] for event in self.events()]}")

    def write_settings(self, settings: dict[str, Any]) -> None:
        draft = self.settings_file.with_suffix(".draft")
        draft.write_text(json.dumps(settings), encoding="utf-8")
        draft.replace(self.settings_file)


StartGateway = Callable[..., RunningGateway]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    scripted.close()


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[StartGateway]:
    """Start the real program on loopback; keyword arguments are keys of its one tenant."""
    started: list[RunningGateway] = []

    def start(server_port: int, *flags: str, **of_tenant: Any) -> RunningGateway:
        tenant = {
            "name": "acme",
            "prefixes": ["127.0.1.0/24"],
            "servers": ["127.0.1.10"],
            "server_port": server_port,
            "scan": [{"action": "skip"}],
            "scanners": [],
            "message_limit_bytes": 100_000,
            **of_tenant,
        }
        port = free_port()
        settings = {
            "format": 1,
            "revision": 1,
            "role": "proxy",
            "pool": "p",
            "port": port,
            "transparent": False,
            "tenants": [tenant],
        }
        file, log = tmp_path / f"settings-{port}.json", tmp_path / f"log-{port}"
        file.write_text(json.dumps(settings), encoding="utf-8")
        command = [sys.executable, "-m", "services.mail.main", "--settings", str(file), "--log", str(log),
                   "--state-dir", str(tmp_path / "state"), "--name", "g1", "--grace", "1s",
                   *flags]  # fmt: skip
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        gateway = RunningGateway(process, port, file, log, settings)
        started.append(gateway)
        gateway.wait_for("GatewayStarted")
        return gateway

    yield start
    for gateway in started:
        for client in gateway.clients:
            client.close()
        stop(gateway.process)


@pytest.fixture
def gateway(start_gateway: StartGateway, server: ScriptedServer) -> RunningGateway:
    return start_gateway(server.port)


@pytest.fixture
def client(gateway: RunningGateway) -> Client:
    return gateway.client()


@pytest.fixture(scope="session")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A real clamd with one signature; yields its address as the settings have it."""
    directory = tmp_path_factory.mktemp("clamd")
    (directory / "db").mkdir()
    (directory / "db" / "test.ndb").write_text(f"Postern.Test.Eicar:0:*:{EICAR.hex()}\n", encoding="utf-8")
    port = free_port()
    binary = shutil.which("clamd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert binary, "clamd is not installed; remedy: make setup"
    (directory / "clamd.conf").write_text(
        f"DatabaseDirectory {directory}/db\nTCPSocket {port}\nTCPAddr 127.0.0.1\nForeground yes\n"
        f"AlertExceedsMax yes\nAlertEncrypted yes\nMaxFiles 20\nLogFile {directory}/log\n",
        encoding="utf-8",
    )
    process = subprocess.Popen(
        unconfined([binary, "-c", f"{directory}/clamd.conf"]), stdout=subprocess.DEVNULL
    )
    try:
        wait_for_port("127.0.0.1", port, process)
        yield {"host": "127.0.0.1", "port": port}
    finally:
        stop(process)
