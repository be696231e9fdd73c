"""The lab works whatever this machine's name, resolver and mounts are, and says what broke if it does not."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import probes
from lab.errors import LabError
from lab.lab import Lab
from lab.mail import Letter, send
from lab.messages import Content, build
from tests.journals import read_journal
from tests.lab.conftest import POLICY
from tests.without import ROOT, without

pytestmark = pytest.mark.lab


def _said_in(lab: Lab, host: str, *command: str) -> str:
    done = subprocess.run(lab.command_in(host, [*command]), capture_output=True, encoding="utf-8", timeout=30)
    return done.stdout.strip()


def test_a_host_knows_its_own_name_and_those_of_the_others(lab: Lab) -> None:
    assert _said_in(lab, "sender", "hostname") == "sender"
    assert _said_in(lab, "sender", "getent", "ahostsv4", "acme-mx").split()[0] == "203.0.113.10"


def test_a_name_outside_the_lab_is_refused_without_asking_anybody(lab: Lab) -> None:
    begun = time.monotonic()
    assert _said_in(lab, "sender", "getent", "hosts", "www.example.com") == ""
    assert time.monotonic() - begun < 4  # a resolver asks again after 5 s


def _own_names() -> tuple[str, bytes, bytes]:
    return os.uname().nodename, Path("/etc/hosts").read_bytes(), Path("/etc/resolv.conf").read_bytes()


def test_the_machines_own_name_and_files_stay_as_they_are(lab: Lab) -> None:
    before = _own_names()
    _said_in(lab, "acme-mx", "true")
    assert _own_names() == before


def test_a_message_takes_no_time_for_names(lab: Lab) -> None:
    message = build(Content.CLEAN, "someone@sender.example", "alice@acme.example")
    letter = Letter("someone@sender.example", "alice@acme.example", "203.0.113.10", message)
    begun = time.monotonic()
    assert send(lab.places.pin("sender"), letter).code == 250
    assert time.monotonic() - begun < 5  # a resolver that is not there costs 10 s


def test_what_the_user_has_settled_for_swaks_changes_no_message(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".swaksrc").write_text("--quit-after CONNECT\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SWAKS_OPT_quit_after", "CONNECT")
    message = build(Content.CLEAN, "someone@sender.example", "alice@acme.example")
    letter = Letter("someone@sender.example", "alice@acme.example", "203.0.113.10", message)
    assert send(lab.places.pin("sender"), letter).code == 250


def test_a_decoy_proves_its_host_key_at_each_personas_address(lab: Lab) -> None:
    pin = lab.places.pin("decoy1")
    for address in ("203.0.113.10", "203.0.113.62", "203.0.113.74", "203.0.113.126"):
        assert probes.ssh(pin, address) == ""


def test_a_visit_of_the_labs_own_is_not_written_down(lab: Lab) -> None:
    probes.ssh(lab.places.pin("decoy1"), "203.0.113.62")
    time.sleep(0.5)
    journal = lab.places.home("decoy1.cowrie") / "journal.jsonl"
    assert read_journal(journal), "there is nothing to be seen"
    assert not read_journal(journal, source="203.0.113.62")


def test_a_listener_that_says_nothing_is_no_ssh_server(lab: Lab) -> None:
    silent = lab.command_in("sender", ["python3", "-c", _SILENT])
    with subprocess.Popen(silent, stdout=subprocess.PIPE) as listener:
        assert listener.stdout is not None
        listener.stdout.readline()
        assert "no SSH key exchange" in probes.ssh(lab.places.pin("sender"), "127.0.0.1", 2222)
        listener.terminate()


_SILENT = (
    "import socket, time\n"
    "with socket.create_server(('127.0.0.1', 2222)):\n    print('here', flush=True)\n    time.sleep(60)"
)


@pytest.mark.timeout(300)
def test_every_step_of_the_demo_works_over_ipv4_where_the_kernel_lacks_what_can_be_done_without(
    bare: Lab,
) -> None:
    command: tuple[str, ...] = (sys.executable, "-m", "lab.demo")
    for feature in ("ipv6", "bpf", "landlock"):
        command = without(feature, command)
    environment = {**os.environ, "POSTERN_LAB_DIR": str(bare.places.root)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "This machine has no IPv6" in done.stdout


def test_a_cowrie_that_cannot_start_ends_up_at_once_named_with_its_last_words(
    bare: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", str(tmp_path / "empty")], check=True)
    monkeypatch.setenv("POSTERN_COWRIE_VENV", str(tmp_path / "empty"))
    with pytest.raises(LabError, match=r"decoy1\.cowrie is unhealthy: it keeps crashing: .*No module named"):
        bare.up("demo", POLICY)
    kept = bare.places.kept_logs / "home" / "decoy1.cowrie" / "journal.jsonl"
    assert "CowrieDied" in kept.read_text(encoding="utf-8")
    bare.down()
    assert not bare.places.kept_logs.exists()


def test_a_program_that_died_is_named_while_the_lab_is_in_use(lab: Lab) -> None:
    os.kill(lab.process("scanner1.clamd").pid, 9)
    try:
        while lab.process("scanner1.clamd").is_alive:
            time.sleep(0.02)
        with pytest.raises(LabError, match=r"scanner1\.clamd is unhealthy: its program has ended"):
            lab.refuse_broken()
    finally:
        lab.start("scanner1.clamd")
