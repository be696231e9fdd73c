"""The real `postern-responder` on loopback: who is answered what, and how much it can be made to hold."""

import contextlib
import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from common.wire.responder import ResponderSettings
from services.base.settings import SettingsError, read_settings
from tests.journals import read_journal
from tests.mail.conftest import ROOT, free_port, stop
from tests.mail.scripted import Client
from tests.without import start_programs_without

pytestmark = pytest.mark.programs

ACME, GLOBEX, NOBODY = "127.0.1.10", "127.0.1.20", "127.0.1.30"


def settings(port: int, **changes: Any) -> dict[str, Any]:
    tenants = [
        {"name": "acme", "servers": [ACME], "answer": "tempfail"},
        {"name": "globex", "servers": [GLOBEX], "answer": "reject"},
    ]
    defaults = {"format": 1, "revision": 1, "role": "responder", "pool": "responders", "port": port}
    return {**defaults, "transparent": False, "tenants": tenants, **changes}


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    port: int
    file: Path
    log: Path
    clients: list[Client] = field(default_factory=list)

    def client(self, server: str = ACME) -> Client:
        self.clients.append(Client(self.port, server=server))
        return self.clients[-1]

    def write(self, text: str) -> None:
        draft = self.file.with_suffix(".draft")
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.file)

    def wait_for(self, name: str, count: int = 1) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        for _ in range(2_400):
            found = read_journal(self.log, name)
            if len(found) >= count:
                return found[-1]
            time.sleep(0.025)
        raise AssertionError(f"no {name}: {found}")


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Running] = []

    def begin(*flags: str) -> Running:
        port = free_port()
        file, log = tmp_path / "responders.json", tmp_path / "log"
        file.write_text(json.dumps(settings(port)), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "services.responder.main",
            "--settings",
            str(file),
            "--log",
            str(log),
        ]
        process = subprocess.Popen(
            [*command, "--name", "r1", *flags], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        running = Running(process, port, file, log)
        started.append(running)
        running.wait_for("ResponderStarted")
        return running

    yield begin
    for running in started:
        for client in running.clients:
            client.close()
        stop(running.process)


@pytest.fixture
def responder(start: Start) -> Running:
    return start()


@pytest.mark.parametrize(("server", "code"), [(ACME, 451), (GLOBEX, 554)])
def test_a_real_client_is_refused_as_the_tenant_of_that_server_wants(
    responder: Running, server: str, code: int
) -> None:
    with smtplib.SMTP(server, responder.port, local_hostname="client.example", timeout=15) as client:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail("a@b.example", ["c@acme.example"], "Subject: x\r\n\r\ny\r\n")
        assert refused.value.smtp_code == code


def test_a_session_is_noted_once_with_tenant_answer_and_sender(responder: Running) -> None:
    client = responder.client(GLOBEX)
    client.hello()
    assert client.ask(b"MAIL FROM:<a\x1b[31m@b.example>")[:3] == "554"
    assert client.ask(b"QUIT")[:3] == "221"
    assert client.is_closed()
    event = responder.wait_for("SessionAnswered")
    assert (event["tenant"], event["answer"], event["server"]) == ("globex", "reject", GLOBEX)
    assert (event["commands"], event["reason"]) == (3, "done")
    assert event["mail"] == "MAIL FROM:<a\x1b[31m@b.example>"
    assert "\x1b" not in responder.log.read_text(encoding="utf-8")


def test_a_server_that_nobody_has_is_answered_by_421(responder: Running) -> None:
    assert responder.client(NOBODY).reply().startswith("421 4.3.2 no mail service at this address")


def test_an_agent_on_the_same_host_is_greeted_and_noted_nowhere(responder: Running) -> None:
    agent = responder.client("127.0.0.1")
    agent.hello()
    assert agent.ask(b"QUIT")[:3] == "221"
    responder.client().hello()
    assert "127.0.0.1" not in responder.log.read_text(encoding="utf-8")


def test_a_new_settings_file_is_taken_up_at_once_and_a_bad_one_changes_nothing(responder: Running) -> None:
    tenants = [{"name": "initech", "servers": [NOBODY], "answer": "reject"}]
    responder.write(json.dumps(settings(responder.port, tenants=tenants, revision=2)))
    client = responder.client(NOBODY)
    client.hello()
    assert client.ask(b"MAIL FROM:<>")[:3] == "554"
    responder.write(json.dumps(settings(responder.port, tenants=[{"name": "x", "answer": "later"}])))
    assert "tenants[0].answer" in responder.wait_for("SettingsRefused")["reason"]
    client = responder.client(NOBODY)
    client.hello()
    assert client.ask(b"MAIL FROM:<>")[:3] == "554"


def test_settings_of_a_newer_format_are_named_and_the_last_good_ones_kept(responder: Running) -> None:
    responder.write(json.dumps(settings(responder.port, format=2, tenants=[])))
    refused = responder.wait_for("SettingsRefused")
    assert "format: is 2, this program reads 1; remedy: upgrade the program that reads this" in str(refused)
    responder.client(GLOBEX).hello()


def test_keys_of_a_newer_controller_are_ignored_and_named(responder: Running) -> None:
    responder.write(json.dumps(settings(responder.port, revision=2, greeting="hello")))
    assert responder.wait_for("SettingsLoaded", 2)["unknown_keys"] == ["greeting"]
    responder.client(GLOBEX).hello()


def test_more_clients_than_it_holds_hear_421_at_once_and_are_named(start: Start) -> None:
    responder = start("--sessions", "2")
    first, second = responder.client(), responder.client()
    assert first.reply()[:3] == second.reply()[:3] == "220"
    shed = responder.client()
    assert shed.reply().startswith("421 4.3.2 ")
    assert shed.is_closed()
    refused = responder.wait_for("SessionRefused")
    assert (refused["client"], refused["reply"][:9]) == ("127.0.2.5", "421 4.3.2")
    first.ask(b"QUIT")
    assert first.is_closed()
    assert responder.client().reply()[:3] == "220"


def test_a_client_that_says_nothing_is_hung_up_on(start: Start) -> None:
    client = start("--session-time", "300ms").client()
    assert client.reply()[:3] == "220"
    assert client.reply().startswith("421 4.4.2 ")
    assert client.is_closed()


def test_a_client_that_never_stops_is_cut_off(responder: Running) -> None:
    client = responder.client()
    with contextlib.suppress(ConnectionError):
        for _ in range(100):
            client.send(b"A" * 65_536)
    assert responder.wait_for("SessionAnswered")["commands"] <= 20


def test_a_client_that_leaves_is_noted_and_makes_room(start: Start) -> None:
    responder = start("--sessions", "1")
    client = responder.client()
    assert client.reply()[:3] == "220"
    client.close()
    assert responder.wait_for("SessionAnswered")["reason"] == "client went away"
    assert responder.client().reply()[:3] == "220"


def test_stopping_ends_every_session_with_421(responder: Running) -> None:
    client = responder.client()
    assert client.reply()[:3] == "220"
    responder.process.send_signal(signal.SIGTERM)
    assert client.reply().startswith("421 4.3.2 ")
    assert responder.process.wait(10) == 0
    assert responder.wait_for("ResponderStopped")["sessions_ended"] == 1


def test_a_hangup_opens_the_log_again(responder: Running) -> None:
    responder.log.rename(responder.log.with_suffix(".old"))
    responder.process.send_signal(signal.SIGHUP)
    assert responder.wait_for("SettingsLoaded")["revision"] == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ('{"format": 2}', "format"),
        ('{"format": 1, "role": "proxy", "pool": "p"}', "role"),
        ('{"format": 1, "role": "responder"}', "pool"),
        ('{"format": 1, "role": "responder", "pool": "p", "port": 0}', "port"),
        ('{"format": 1, "role": "responder", "pool": "p", "tenants": [{"name": "a"}]}', "answer"),
        ('{"format": 1, "role": "responder", "pool": "p", "tenants": [{"answer": "reject"}]}', "name"),
    ],
)
def test_a_file_that_is_no_settings_is_refused_by_key(text: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        read_settings(ResponderSettings, text)


def test_without_ipv6_clients_of_ipv4_are_answered_and_the_loss_is_noted_once(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_programs_without("ipv6", tmp_path, monkeypatch)
    responder = start()
    client = responder.client(GLOBEX)
    client.hello()
    assert client.ask(b"MAIL FROM:<>")[:3] == "554"
    assert responder.wait_for("Ipv6Missing")["lost"] == "answers to mail for tenants' IPv6 addresses"
    assert responder.log.read_text(encoding="utf-8").count("Ipv6Missing") == 1


def begun(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.responder.main", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=30
    )


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.json", tmp_path / "good.json"
    bad.write_text("{", encoding="utf-8")
    with socket.create_server(("0.0.0.0", 0)) as taken:
        good.write_text(json.dumps(settings(taken.getsockname()[1])), encoding="utf-8")
        without_a_port = begun("--settings", str(good))
    for done, why in (
        (begun("--settings", str(bad)), f"postern-responder: {bad}: not JSON"),
        (without_a_port, "remedy: stop the program that uses this port"),
        (begun("--settings", str(tmp_path / "none")), "remedy: name an existing file or directory"),
        (
            begun("--settings", str(good), "--log", "/proc/none/log"),
            "remedy: choose a log file that can be written",
        ),
    ):
        assert done.returncode == 1
        assert why in done.stderr
