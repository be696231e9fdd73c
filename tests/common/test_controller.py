"""What an operator sees when the controller cannot start: one sentence with a remedy, and it ends."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.mail.conftest import free_port

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[2]
EDGE = str(ROOT / "apps" / "edge.py")
Start = Callable[..., "subprocess.CompletedProcess[str]"]
_WRONG = """
import sys
from controller.runtime.runtime import Runtime
def start(*_):
    raise KeyError("a mistake")
Runtime.start = start
from ryu.cmd.manager import main
sys.exit(main())
"""


@pytest.fixture
def port() -> Iterator[int]:
    """A port for switches that is somebody's already."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    manager = [str(Path(sys.executable).with_name("ryu-manager"))]

    def start(
        port: int = 0, program: list[str] = manager, **settings: str
    ) -> "subprocess.CompletedProcess[str]":
        if not port:
            port = free_port()
        environment = {
            "POSTERN_POLICY": str(ROOT / "policies" / "demo.yaml"),
            "POSTERN_STATE_DIR": f"{tmp_path}/state",
            "POSTERN_API": f"unix:{tmp_path}/api.sock",
            "POSTERN_LISTEN": "off",
            "LOGS_DIRECTORY": str(tmp_path),
            "PYTHONDONTWRITEBYTECODE": "1",
            **settings,
        }
        return subprocess.run(
            [*program, "--ofp-listen-host", "127.0.0.1", "--ofp-tcp-listen-port", str(port), EDGE],
            env=environment,
            cwd="/",
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    return start


def last_line(done: "subprocess.CompletedProcess[str]") -> str:
    assert "Traceback" not in done.stderr + done.stdout
    return done.stderr.splitlines()[-1]


def test_without_a_policy(start: Start) -> None:
    done = start(POSTERN_POLICY="")
    assert done.returncode == 1
    assert last_line(done).startswith("postern-controller: POSTERN_POLICY: no policy is named; remedy: ")


def test_with_settings_of_wrong_values_each_is_named(start: Start, tmp_path: Path) -> None:
    (tmp_path / "edge.conf").write_text("[postern]\nlisten = nowhere\n", encoding="utf-8")
    program = [str(Path(sys.executable).with_name("postern-controller"))]
    done = start(
        program=[*program, "--config-file", f"{tmp_path}/edge.conf"], POSTERN_WATCH="maybe", POSTERN_LISTEN=""
    )
    assert done.returncode == 1
    listen, watch = done.stderr.splitlines()[-2:]
    assert listen.startswith('postern-controller: listen in [postern]: "nowhere" is not a valid address')
    assert watch == (
        'postern-controller: POSTERN_WATCH: "maybe" is neither on nor off; remedy: write on or off'
    )


@pytest.mark.parametrize(
    ("file", "why"), [("/nonexistent/p.yaml", "No such file"), ("/tmp", "Is a directory")]
)
def test_with_a_policy_that_cannot_be_read(start: Start, file: str, why: str) -> None:
    done = start(POSTERN_POLICY=file)
    assert done.returncode == 1
    assert f"postern-controller: cannot start: {file}: {why}" in last_line(done)
    assert "; remedy: " in last_line(done)


@pytest.mark.parametrize(
    ("policy", "why"), [(b"\xff\xfe\x00", "not UTF-8 text"), (b"a: [", "not valid YAML")]
)
def test_with_a_policy_that_is_none(start: Start, tmp_path: Path, policy: bytes, why: str) -> None:
    (tmp_path / "p.yaml").write_bytes(policy)
    done = start(POSTERN_POLICY=f"{tmp_path}/p.yaml")
    assert done.returncode == 1
    assert why in last_line(done)
    assert "; remedy: " in last_line(done)


def test_with_a_state_directory_that_cannot_be_made(start: Start) -> None:
    done = start(POSTERN_STATE_DIR="/proc/nowhere")
    assert done.returncode == 1
    assert "/proc/nowhere/postern.db: " in last_line(done)
    assert "; remedy: " in last_line(done)


@pytest.mark.parametrize(
    ("socket_path", "why"),
    [
        ("/proc/nowhere/api.sock", "No such file or directory"),
        (f"/tmp/{'x' * 120}/api.sock", "path too long"),
        ("/dev/null", "Address already in use"),
    ],
    ids=["nowhere", "too long", "something else"],
)
def test_with_an_api_that_cannot_be_served(start: Start, socket_path: str, why: str) -> None:
    done = start(POSTERN_API=f"unix:{socket_path}")
    assert done.returncode == 1
    assert f"cannot serve the API at {socket_path}: " in last_line(done)
    assert why in last_line(done)
    assert "; remedy: " in last_line(done)


def test_with_an_api_that_another_controller_serves(start: Start, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"{tmp_path}/api.sock")
        other.listen()
        done = start()
    assert done.returncode == 1
    assert "another controller answers there" in last_line(done)


def test_with_a_port_for_switches_that_is_taken(start: Start, port: int) -> None:
    done = start(port)
    assert done.returncode == 1
    assert f"cannot listen for switches at 127.0.0.1 port {port}: " in last_line(done)
    assert "; remedy: end the other controller" in last_line(done)


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("/nowhere/edge.conf", "/nowhere/edge.conf"),
        ("/tmp", "Is a directory"),
        ("MISTAKE", "assignment: 'a b'"),
    ],
)
def test_with_settings_that_cannot_be_read(start: Start, tmp_path: Path, file: str, why: str) -> None:
    (tmp_path / "MISTAKE").write_text("a b", encoding="utf-8")
    program = [str(Path(sys.executable).with_name("postern-controller"))]
    done = start(program=[*program, "--config-file", str(tmp_path / file)])
    assert done.returncode == 1
    assert last_line(done).startswith("postern-controller: ")
    assert why in last_line(done)
    assert last_line(done).endswith("; remedy: name another file in the arguments")


def test_with_a_mistake_of_ours_inside(start: Start, tmp_path: Path) -> None:
    done = start(program=[sys.executable, "-c", _WRONG])
    assert done.returncode == 70
    assert last_line(done).startswith("postern-controller: unexpected error: KeyError: 'a mistake'; report: ")
    (report,) = (tmp_path / "reports").iterdir()
    assert "Traceback (most recent call last)" in report.read_text(encoding="utf-8")


def test_the_store_is_its_owners_alone(start: Start, tmp_path: Path, port: int) -> None:
    before = os.umask(0)
    try:
        start(POSTERN_POLICY="/nonexistent")
    finally:
        os.umask(before)
    assert (tmp_path / "state" / "postern.db").stat().st_mode & 0o777 == 0o600
