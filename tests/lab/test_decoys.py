"""Decoys in the lab: at the attacked address, looking like the real server, and dead ends."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from controller.api.client import ApiClient
from lab import probes
from lab.frames import ACK, SYN, Eye, Segment, send
from lab.lab import Lab
from lab.mail import Letter
from lab.mail import send as send_mail
from lab.messages import Content, build
from lab.services import decoys
from lab.services.controllers import api_address
from tests.journals import read_journal
from tests.lab.conftest import POLICIES, UNSUSPICIOUS, await_in_step
from tests.policies import accept_policy

pytestmark = pytest.mark.lab

_INTRUDER = {4: "198.51.100.66", 6: "2001:db8:bb:6::66"}
_SERVER = {4: "203.0.113.10", 6: "2001:db8:a::10"}
_DARK = {4: "203.0.113.50", 6: "2001:db8:a::50"}
_DECOY_MAC, _EDGE_MAC = "02:ee:00:00:00:01", "02:50:00:00:00:01"
families = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture
def api(lab: Lab) -> Iterator[ApiClient]:
    """The controller, which decides in earnest: the other tests' labs only simulate."""
    api = ApiClient(api_address(lab.places))
    text = (POLICIES / "demo.yaml").read_text(encoding="utf-8")
    _apply(api, text.removesuffix(UNSUSPICIOUS))
    _pardon(api)
    yield api
    _pardon(api)
    _apply(api, text)


def _pardon(api: ApiClient) -> None:
    """Forget what this test, or one before it that simulated, has brought upon the lab's hosts."""
    for origin in ("api", "postern"):
        api.delete(f"/v1/decisions?origin={origin}")


def _apply(api: ApiClient, text: str) -> None:
    revision = accept_policy(api, "demo.yaml", text)
    deadline = time.monotonic() + 60
    while (status := api.get("/v1/status"))["state"] != "confirmed" or status["revision"] != revision:
        assert time.monotonic() < deadline, status
        time.sleep(0.05)


def decide(api: ApiClient, source: str) -> None:
    answer = api.post("/v1/decisions", {"decisions": [{"value": source, "action": "decoy"}]})
    assert answer["is_confirmed"]
    await_in_step(api)


def events(lab: Lab, kind: str) -> list[dict[str, Any]]:
    return read_journal(decoys.journal(lab.places, "decoy1", kind))


def logged(lab: Lab, kind: str, **wanted: Any) -> dict[str, Any]:
    """Return the first event of a journal that has these facts, once it is there."""
    deadline = time.monotonic() + 60
    while True:
        for event in events(lab, kind):
            if all(event.get(key) == value for key, value in wanted.items()):
                return event
        assert time.monotonic() < deadline, f"{wanted} is not in the journal"
        time.sleep(0.05)


def greeting(lab: Lab, host: str, address: str, port: int) -> bytes:
    with probes.connect(lab.places.pin(host), address, port, 5.0) as connection:
        return connection.recv(512)


def shell(lab: Lab, address: str, command: str, tmp_path: Path) -> str:
    """Log in with a real SSH client, as root with an easy password; return what was seen."""
    answer = tmp_path / "password"
    answer.write_text("#!/bin/sh\necho toor\n", encoding="utf-8")
    answer.chmod(0o700)
    client = ["ssh", "-F", "none", "-o", "PreferredAuthentications=password"]
    client += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    client += ["-o", "LogLevel=ERROR", f"root@{address}", command]
    asked = ["env", f"SSH_ASKPASS={answer}", "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0", *client]
    done = subprocess.run(
        lab.command_in("attacker", asked), capture_output=True, encoding="utf-8", timeout=60
    )
    return done.stdout + done.stderr


@families
def test_an_address_that_nobody_uses_is_answered_and_the_journal_has_both_ends(
    lab: Lab, api: ApiClient, family: int
) -> None:
    assert greeting(lab, "attacker", _DARK[family], 22).startswith(b"SSH-2.0-OpenSSH")
    event = logged(lab, "cowrie", event="AttackerConnected", destination=_DARK[family], port=22)
    assert (event["tenant"], event["source"]) == ("acme", _INTRUDER[family])


@families
def test_three_doors_are_a_decision_and_then_the_real_servers_address_is_a_decoys(
    lab: Lab, api: ApiClient, family: int
) -> None:
    for number in range(3):
        greeting(lab, "attacker", f"{_DARK[family][:-1]}{number}", 22)
    deadline = time.monotonic() + 60
    while not api.get(f"/v1/sources/{_INTRUDER[family]}")["decisions"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    await_in_step(api)
    assert greeting(lab, "attacker", _SERVER[family], 22).startswith(b"SSH-2.0-OpenSSH")
    assert logged(lab, "cowrie", event="AttackerConnected", destination=_SERVER[family], port=22)


def test_an_intruder_is_let_in_and_every_command_is_written_down_and_can_be_replayed(
    lab: Lab, api: ApiClient, tmp_path: Path
) -> None:
    seen = shell(lab, _DARK[4], "id; echo left-a-trace", tmp_path)
    assert "uid=0(root)" in seen
    command = logged(lab, "cowrie", event="CommandEntered", text="id; echo left-a-trace")
    login = logged(lab, "cowrie", event="LoginTried", session=command["session"])
    assert (login["tenant"], login["source"], login["destination"]) == ("acme", _INTRUDER[4], _DARK[4])
    spool = str(decoys.spool(lab.places, "decoy1", "cowrie"))
    played = subprocess.run(
        [sys.executable, "-m", "services.decoy.replay", spool, login["session"]],
        capture_output=True,
        encoding="utf-8",
        timeout=30,
    )
    assert "left-a-trace" in played.stdout, played.stderr


@families
def test_a_decided_sources_mail_is_taken_by_nobody_and_the_real_server_sees_nothing(
    lab: Lab, api: ApiClient, family: int
) -> None:
    decide(api, _INTRUDER[family])
    log = lab.places.log("acme-mx.postfix")
    before = log.stat().st_size
    message = build(Content.CLEAN, "someone@sender.example", "alice@acme.example")
    letter = Letter("someone@sender.example", "alice@acme.example", _SERVER[family], message, False)
    assert send_mail(lab.places.pin("attacker"), letter).reply.startswith("4")
    assert send_mail(lab.places.pin("sender"), letter).reply.startswith("250")
    kept = logged(lab, "decoy", event="MailCaptured", source=_INTRUDER[family])
    assert kept["destination"] == _SERVER[family]
    with log.open() as file:
        file.seek(before)
        assert _INTRUDER[family] not in file.read()


@families
def test_real_server_and_decoy_greet_alike(lab: Lab, api: ApiClient, family: int) -> None:
    decide(api, _INTRUDER[family])
    seen = []
    for host in ("sender", "attacker"):
        with probes.connect(lab.places.pin(host), _SERVER[family], 25, 5.0) as connection:
            lines = connection.makefile("rb")
            said = [lines.readline()]
            connection.sendall(b"EHLO client.example\r\n")
            while (line := lines.readline())[3:4] == b"-":
                said.append(line)
            seen.append([*said, line])
    assert seen[0] == seen[1]


@families
def test_a_port_that_the_host_has_not_is_refused_as_by_the_host(
    lab: Lab, api: ApiClient, family: int
) -> None:
    decide(api, _INTRUDER[family])
    for port in (9, 443, 8080):
        with pytest.raises(ConnectionRefusedError):
            probes.connect(lab.places.pin("attacker"), _SERVER[family], port, 2.0)


def test_a_decoy_that_was_taken_over_reaches_nobody(lab: Lab) -> None:
    """Whatever address it takes, whatever it claims to answer; with packets made by hand."""
    eyes = {
        "acme-mx": "acme-mx-eth0",
        "bbr": "bbr-eth0",
        "proxy1": "proxy1-eth0",
        "scanner1": "scanner1-eth0",
    }
    targets = ("203.0.113.10", "203.0.113.74", "198.51.100.10", "192.0.2.11", "192.0.2.100", "203.0.113.20")
    sources = ("192.0.2.41", "203.0.113.50", "198.51.100.10", "192.0.2.11")
    segments = [
        Segment(_DECOY_MAC, _EDGE_MAC, source, target, 45_000 + number, port, flags)
        for number, (source, target, port, flags) in enumerate(
            (source, target, port, flags)
            for source in sources
            for target in targets
            if source != target
            for port in (22, 25, 80, 3310)
            for flags in (SYN, ACK)
        )
    ]
    watching = {host: Eye(lab.places.pin(host), interface) for host, interface in eyes.items()}
    try:
        send(lab.places.pin("decoy1"), "decoy1-eth0", [each.to_frame() for each in segments])
        sent = {(each.source_port, each.destination_port) for each in segments}
        for host, eye in watching.items():
            assert not sent & eye.seen(0.5), f"{host} saw packets of the decoy"
    finally:
        for eye in watching.values():
            with suppress(OSError):
                eye.__exit__()


def test_a_shell_on_the_decoy_opens_no_connection_to_anybody(lab: Lab) -> None:
    for address, port in (
        ("198.51.100.10", 80),
        ("192.0.2.11", 25),
        ("192.0.2.100", 3310),
        ("192.0.2.1", 80),
    ):
        with pytest.raises(OSError, match=r"timed out|unreachable|refused"):
            probes.connect(lab.places.pin("decoy1"), address, port, 0.7)
