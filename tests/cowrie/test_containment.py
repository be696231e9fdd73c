"""A Cowrie can call nobody: its kernel knows no network, whatever runs in it."""

import os
import pwd
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cowrie.conftest import MX, Decoy

pytestmark = pytest.mark.cowrie


@pytest.fixture
def listener() -> Iterator[tuple[int, list[str]]]:
    """Somebody to be called, who remembers who called: at the wildcard, so at any address of this host."""
    calls: list[str] = []
    with socket.create_server(("", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, peer = server.accept()
                except OSError:
                    return
                calls.append(str(peer))
                connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1], calls
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    "command",
    [
        "wget http://{to}:{port}/x",
        "wget -q -O /tmp/x http://{to}:{port}/x",
        "curl -s http://{to}:{port}/x",
        "nc -w 2 {to} {port}",
        "ftpget -P {port} {to} x y",
        "tftp -g -r x {to} {port}",
    ],
)
def test_no_command_reaches_anybody(decoy: Decoy, listener: tuple[int, list[str]], command: str) -> None:
    port, calls = listener
    decoy.ssh(command.format(to="127.0.0.1", port=port) + "; echo done")
    assert calls == []


def test_a_forwarded_connection_reaches_nobody(decoy: Decoy, listener: tuple[int, list[str]]) -> None:
    port, calls = listener
    with pytest.raises(subprocess.TimeoutExpired):  # it seems to be open, and says nothing
        decoy.ssh("", "-W", f"127.0.0.1:{port}", within_s=10)
    assert decoy.wait_for("ForwardRequested")["to"] == f"127.0.0.1:{port}"
    assert calls == []


def test_wget_fails_as_on_a_server_that_may_not_call_out(decoy: Decoy) -> None:
    for address in ("8.8.8.8", "10.0.0.1"):
        said = decoy.ssh(f"wget http://{address}/x").stdout
        assert f"Connecting to {address}:80... failed: Network is unreachable." in said
        assert "connected" not in said


def test_its_network_has_nothing_but_a_loopback_that_is_down(decoy: Decoy) -> None:
    interfaces = Path(f"/proc/{decoy.pid()}/net/dev").read_text(encoding="utf-8").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]
    routes = Path(f"/proc/{decoy.pid()}/net/route").read_text(encoding="utf-8").splitlines()[1:]
    assert routes == []
    assert os.readlink(f"/proc/{decoy.pid()}/ns/net") != os.readlink("/proc/self/ns/net")


def test_it_has_no_rights_and_no_way_to_any(decoy: Decoy) -> None:
    lines = Path(f"/proc/{decoy.pid()}/status").read_text(encoding="utf-8").splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    if os.geteuid() == 0:
        assert status["CapBnd"] == "0" * 16
        assert int(status["Uid"].split()[0]) == pwd.getpwnam("postern-cowrie").pw_uid


def test_it_listens_nowhere_itself(decoy: Decoy) -> None:
    for table in ("tcp", "tcp6"):
        rows = Path(f"/proc/{decoy.pid()}/net/{table}").read_text(encoding="utf-8").splitlines()[1:]
        assert rows == [], MX
