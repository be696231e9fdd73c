"""What attackers do in a real Cowrie, and what the journal, the spool and the controller hear of it."""

import base64
import hashlib
import http.server
import json
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cowrie.conftest import DARK, MX, Decoy, begin
from tests.mail.conftest import stop

pytestmark = pytest.mark.cowrie


def typed(decoy: Decoy, session: str) -> tuple[bytes, bytes]:
    """Return what went over a recorded terminal: from the attacker, and to him."""
    head, *lines = (decoy.home / "spool/sessions" / session).read_text(encoding="utf-8").splitlines()
    assert json.loads(head)["session"] == session
    pieces = [line.split() for line in lines]
    times = [float(seconds) for _, seconds, _ in pieces]
    assert times == sorted(times)
    by_way = {">": b"", "<": b""}
    for way, _, data in pieces:
        by_way[way] += base64.b64decode(data)
    return by_way[">"], by_way["<"]


def test_a_persona_user_gets_in_and_sees_the_persona(decoy: Decoy) -> None:
    done = decoy.ssh("hostname; cat /etc/motd /srv/secret/plan.txt; ls /srv; cat /etc/passwd")
    words = ["mail1.acme.example", "Welcome to mail1", "attack at dawn", "secret"]
    assert [line.strip() for line in done.stdout.splitlines()[:4]] == words
    assert "alice:x:1000:" in done.stdout
    assert "phil" not in done.stdout


def test_a_session_is_told_from_connection_to_close(decoy: Decoy) -> None:
    decoy.ssh("echo the-whole-story")
    command = decoy.wait_for("CommandEntered", text="echo the-whole-story")
    decoy.wait_for("AttackerDisconnected", session=command["session"])
    told = [event for event in decoy.events() if event.get("session") == command["session"]]
    assert [event["event"] for event in told] == [
        "AttackerConnected",
        "ClientIdentified",
        "ClientIdentified",
        "LoginTried",
        "CommandEntered",
        "AttackerDisconnected",
    ]
    common = {"trace": command["trace"], "tenant": "acme", "instance": "decoy1", "transport": "tcp"}
    common |= {"source": "127.0.0.1", "destination": MX, "port": decoy.ssh_port, "protocol": "ssh"}
    assert all(common.items() <= event.items() for event in told)
    assert {"user": "root", "password": "toor", "success": True}.items() <= told[3].items()
    assert told[1]["version"].startswith("SSH-2.0-OpenSSH")


@pytest.mark.parametrize(
    ("user", "password", "is_let_in"),
    [
        ("root", "wrong", False),
        ("alice", "with:colon", True),
        ("alice", "*not a pattern", True),
        ("alice", "anything", False),
        ("nobody", "toor", False),
    ],
)
def test_just_the_personas_passwords_are_taken(
    decoy: Decoy, user: str, password: str, is_let_in: bool
) -> None:
    done = decoy.ssh("echo in", user=user, password=password)
    assert ("in" in done.stdout) == is_let_in
    assert decoy.wait_for("LoginTried", user=user, password=password)["success"] == is_let_in


def test_dark_space_has_a_persona_of_its_own_at_any_address(decoy: Decoy) -> None:
    assert decoy.ssh("hostname", user="pi", password="whatever", to=DARK).stdout == "srv1\n"
    assert decoy.wait_for("LoginTried", destination=DARK)["port"] == decoy.dark_port
    with decoy.connect(decoy.dark_port, "127.9.0.200") as connection:
        assert connection.recv(100) == b"SSH-2.0-OpenSSH_8.4p1 Debian-5\r\n"


@pytest.mark.parametrize("address", ["127.8.0.1", MX])
def test_who_is_not_meant_by_dark_space_is_reset(decoy: Decoy, address: str) -> None:
    """At another tenant's address, and at a host whose persona has no service there."""
    with pytest.raises(ConnectionResetError), decoy.connect(decoy.dark_port, address) as connection:
        pytest.fail(f"not reset, but told {connection.recv(100)!r}")


def test_ipv6_is_served_at_its_own_address(decoy: Decoy) -> None:
    assert "mail1" in decoy.ssh("hostname", to="::1").stdout
    assert decoy.wait_for("LoginTried", destination="::1")["source"] == "::1"


def test_telnet_says_login_as_debian_and_is_recorded(decoy: Decoy) -> None:
    with decoy.connect(decoy.telnet_port) as connection:
        talk(connection, b"Debian GNU/Linux 12\r\nmail1 login: ", b"root\r\n")
        talk(connection, b"Password: ", b"toor\r\n")
        talk(connection, b":~# ", b"uname -n\r\0")
        talk(connection, b"mail1.acme.example", b"exit\r\0")
        while connection.recv(1_000):
            pass
    session = decoy.wait_for("CommandEntered", protocol="telnet", text="uname -n")["session"]
    decoy.wait_for("AttackerDisconnected", session=session)
    from_attacker, to_attacker = typed(decoy, session)
    assert b"uname -n" in from_attacker
    assert b"mail1.acme.example" in to_attacker


def talk(connection: socket.socket, wanted: bytes, answer: bytes) -> None:
    heard = b""
    while wanted not in heard:
        more = connection.recv(1_000)
        assert more, heard
        heard += more
    connection.sendall(answer)


def test_what_an_attacker_writes_cannot_forge_a_line_or_reach_a_terminal(decoy: Decoy) -> None:
    evil = 'x\n{"event": "LoginTried", "user": "forged"}\x1b[2J\x07\u202e'
    decoy.ssh("echo $'" + evil.replace("\n", "\\n") + "'", user="root\x1b]0;owned\x07", password=evil)
    end = "id; # \x1b[31m \x85 \u202e end-of-evil"
    decoy.ssh(end)
    decoy.wait_for("AttackerDisconnected", session=decoy.wait_for("CommandEntered", text=end)["session"])
    raw = decoy.log.read_bytes()
    assert all(32 <= byte < 127 or byte == 10 for byte in raw)
    assert not decoy.events("LoginTried", user="forged")


@pytest.mark.parametrize("way", ["sftp", "scp -O", "cat >"])
def test_an_upload_is_kept_by_its_hash_and_told(decoy: Decoy, way: str, tmp_path: Path) -> None:
    content = f"#!/bin/sh\nrm -rf / # {way}\n".encode()
    (tmp_path / "evil.sh").write_bytes(content)
    upload(decoy, way, tmp_path / "evil.sh", content)
    sha256 = hashlib.sha256(content).hexdigest()
    event = decoy.wait_for("FileUploaded", sha256=sha256)
    assert (event["kept"], event["size"]) == (True, len(content))
    assert (decoy.home / "spool/uploads" / sha256).read_bytes() == content


def upload(decoy: Decoy, way: str, file: Path, content: bytes) -> None:
    if way == "cat >":
        decoy.ssh(f"echo -n '{content.decode()}' > /tmp/evil.sh")
        return
    environment = {"SSH_ASKPASS": str(decoy.home / "askpass"), "SSH_ASKPASS_REQUIRE": "force"}
    decoy.ssh("true")  # writes askpass
    known = ["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oPubkeyAuthentication=no"]
    port = ["-F", "none", "-P", str(decoy.ssh_port)]
    place = f"root@{MX}:/tmp/evil.sh"
    command = ["sftp", "-b", "-", *port, *known, f"root@{MX}"]
    batch = f"put {file} /tmp/evil.sh\n"
    if way == "scp -O":
        command, batch = ["scp", "-O", *port, *known, str(file), place], ""
    environment |= {"POSTERN_PASSWORD": "toor", "PATH": "/usr/bin:/bin"}
    if way == "sftp":  # a batch asks for no password
        command.insert(1, "-oBatchMode=no")
    subprocess.run(command, env=environment, input=batch, encoding="utf-8", capture_output=True, timeout=60)


def test_events_arrive_within_fifty_milliseconds(decoy: Decoy) -> None:
    """From the byte that is sent to the line in the journal. One of many is enough: the machine is busy."""
    assert any(_delay_of_a_command(decoy, number) < 0.05 for number in range(30))


def _delay_of_a_command(decoy: Decoy, number: int) -> float:
    with decoy.connect(decoy.telnet_port) as connection:
        talk(connection, b"login: ", b"root\r\n")
        talk(connection, b"Password: ", b"toor\r\n")
        talk(connection, b":~# ", f"echo delay-{number}".encode())
        before = time.time()
        connection.sendall(b"\r\0")
        deadline = time.monotonic() + 60
        while not decoy.events("CommandEntered", text=f"echo delay-{number}"):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        return time.time() - before


class _Controller(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    evidence: list[dict[str, Any]]


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/v1/evidence"
        assert isinstance(self.server, _Controller)
        self.server.evidence += body["evidence"]
        answer = json.dumps({"accepted": len(body["evidence"]), "refused": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[_Controller]:
    server = _Controller(str(tmp_path / "api.sock"), _Handler)
    server.evidence = []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_controller_hears_of_everything_that_is_evidence(controller: _Controller, tmp_path: Path) -> None:
    decoy = begin(tmp_path / "decoy", "--api", f"unix:{tmp_path}/api.sock")
    try:
        decoy.ssh("echo payload > /tmp/x; echo \x1b[2J")
        trace = decoy.wait_for("FileUploaded")["trace"]
        decoy.wait_for("AttackerDisconnected")
        deadline = time.monotonic() + 60
        kinds = ["decoy-connection", "decoy-login", "decoy-command", "decoy-upload"]
        while [piece["kind"] for piece in controller.evidence] != kinds:
            assert time.monotonic() < deadline, controller.evidence
            time.sleep(0.02)
    finally:
        stop(decoy.process)
    facts = {"source": "127.0.0.1", "tenant": "acme", "destination": MX, "port": decoy.ssh_port}
    assert all(
        {**facts, "trace": trace, "count": 1}.items() <= piece.items() for piece in controller.evidence
    )
    assert controller.evidence[1]["detail"] == "taken: root/toor"
    assert controller.evidence[2]["detail"] == "echo payload > /tmp/x; echo \\x1b[2J"
