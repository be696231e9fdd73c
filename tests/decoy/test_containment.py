"""A decoy calls nobody: nothing in it asks for a connection, and the kernel would not give it one."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.decoy.running import DARK, HELLO, Running
from tests.mail.conftest import ROOT

_DECOY = ROOT / "services" / "decoy"
_CALLS = {
    "connect", "connect_ex", "create_connection", "create_unix_connection", "open_connection",
    "open_unix_connection", "create_datagram_endpoint", "sock_connect", "sendto", "sendmsg", "urlopen",
    "system", "popen", "Popen", "fork", "execv", "execve", "execvp", "posix_spawn", "create_subprocess_exec",
    "create_subprocess_shell", "getaddrinfo", "gethostbyname",
}  # fmt: skip
# The controller's socket is reached by services/base/controller.py alone; a datagram to a syslog server that
# the operator named is sent by syslog.py.
_MAY = {("syslog.py", "sendto")}


def _own_files() -> list[Path]:
    return [path for path in _DECOY.rglob("*.py") if "cowrie" not in path.relative_to(_DECOY).parts]


def test_nothing_in_the_decoy_begins_a_connection_or_a_program() -> None:
    found = set()
    for path in _own_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
            if name in _CALLS and (path.name, name) not in _MAY:
                found.add(f"{path.relative_to(ROOT)}:{name}")
    assert not found


_TRY = """
import socket
from services.decoy.landlock import forbid_connections
def reaches(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError as error:
        return type(error).__name__
    return "reached"
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
assert reaches(port) == "reached"
forbid_connections()
print(reaches(port))
"""


def test_the_kernel_keeps_even_a_compromised_decoy_from_connecting() -> None:
    """Where Landlock is missing (before Linux 6.7) the function says so, and the switch alone holds it."""
    done = subprocess.run(
        [sys.executable, "-c", _TRY], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.stdout.strip() == "PermissionError" or "landlock: " in done.stderr, done


def test_a_running_decoy_has_no_connection_that_it_began(decoy: Running) -> None:
    client = decoy.client(DARK, HELLO)
    client.hear()
    client.say(b"wget http://127.0.0.1/\r\n")
    decoy.wait_for("CommandEntered")
    descriptors = Path(f"/proc/{decoy.process.pid}/fd")
    ours = {path.readlink().name for path in descriptors.iterdir() if path.exists()}
    tables = Path(f"/proc/{decoy.process.pid}/net/tcp").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split() for line in tables]
    listening = {row[1].rpartition(":")[2] for row in rows if row[3] == "0A"}
    open_ports = {
        row[1].rpartition(":")[2] for row in rows if row[3] == "01" and f"socket:[{row[9]}]" in ours
    }
    assert open_ports
    assert open_ports <= listening
