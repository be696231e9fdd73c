"""Cowries that die, are changed, or end: nobody notices, and nothing is left behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.cowrie.process import find_installed
from tests.cowrie.conftest import MX, Decoy, begin, start
from tests.mail.conftest import ROOT, stop

pytestmark = pytest.mark.cowrie


def cowries_of(decoy: Decoy) -> list[int]:
    """Return the processes whose directory is a Cowrie's state, under whatever path they see it."""
    states = {(facts.st_dev, facts.st_ino) for facts in map(os.stat, decoy.home.glob("spool/cowrie/*/*"))}
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                here = os.stat(entry / "cwd")
            except OSError:
                continue
            if (here.st_dev, here.st_ino) in states:
                found.append(int(entry.name))
    return found


def wait_until(is_so: object, seconds: float = 60.0) -> None:
    assert callable(is_so)
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def host_keys(decoy: Decoy) -> dict[str, str]:
    """Return what ssh-keyscan sees, by kind."""
    scanned = subprocess.run(
        ["ssh-keyscan", "-T", "30", "-t", "rsa,ecdsa,ed25519", "-p", str(decoy.ssh_port), MX],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    rows = [line.split() for line in scanned.stdout.splitlines() if not line.startswith("#")]
    return {kind: key for _, kind, key in rows}


def test_a_killed_cowrie_comes_back_and_who_came_meanwhile_is_served(own_decoy: Decoy) -> None:
    decoy, before = own_decoy, own_decoy.pid()
    keys = host_keys(decoy)
    os.kill(before, signal.SIGKILL)
    with decoy.connect() as waiting:
        assert waiting.recv(100).startswith(b"SSH-2.0-OpenSSH_9.2p1")
    assert decoy.wait_for("CowrieStarted", 2, persona="acme/mx")["pid"] != before
    assert decoy.wait_for("CowrieDied", persona="acme/mx")
    assert "mail1" in decoy.ssh("hostname").stdout
    assert host_keys(decoy) == keys


def test_open_sessions_of_a_killed_cowrie_are_told_to_be_closed(own_decoy: Decoy) -> None:
    with own_decoy.connect() as connection:
        connection.recv(100)
        connection.sendall(b"SSH-2.0-x\r\n")
        session = own_decoy.wait_for("ClientIdentified")["session"]
        os.kill(own_decoy.pid(), signal.SIGKILL)
        assert own_decoy.wait_for("AttackerDisconnected", session=session)["reason"] == "the decoy ended"


def test_the_one_persona_is_untouched_by_the_others_death(own_decoy: Decoy) -> None:
    os.kill(own_decoy.pid("acme/dark"), signal.SIGKILL)
    own_decoy.wait_for("CowrieStarted", 2, persona="acme/dark")
    assert len(own_decoy.events("CowrieStarted", persona="acme/mx")) == 1


def test_the_program_ends_with_all_its_cowries(own_decoy: Decoy) -> None:
    assert len(cowries_of(own_decoy)) == 2
    stop(own_decoy.process)
    assert own_decoy.process.returncode == 0
    assert cowries_of(own_decoy) == []
    assert len(own_decoy.events("CowrieStopped")) == 2


def test_cowries_do_not_outlive_a_killed_program(own_decoy: Decoy) -> None:
    own_decoy.process.kill()
    own_decoy.process.wait()
    wait_until(lambda: not cowries_of(own_decoy))


def uptime_s(decoy: Decoy) -> int:
    configuration = next(decoy.home.glob("spool/cowrie/acme/mx/etc/cowrie.cfg")).read_text(encoding="utf-8")
    return int(configuration.partition("boot_offset = ")[2].partition("\n")[0])


def test_keys_and_uptime_outlast_a_new_start_even_without_what_was_kept(own_decoy: Decoy) -> None:
    """So does another decoy of the pool look, too: all follows from the secret that they share."""
    keys, uptime = host_keys(own_decoy), uptime_s(own_decoy)
    assert set(keys) == {"ssh-rsa", "ecdsa-sha2-nistp256", "ssh-ed25519"}
    stop(own_decoy.process)
    shutil.rmtree(own_decoy.home / "spool")
    start(own_decoy)
    assert host_keys(own_decoy) == keys
    assert 0 <= uptime_s(own_decoy) - uptime < 120


def test_another_secret_is_another_hosts_keys(own_decoy: Decoy) -> None:
    before = host_keys(own_decoy)
    assert len(before) == 3
    stop(own_decoy.process)
    settings = json.loads((own_decoy.home / "settings.json").read_text(encoding="utf-8"))
    (own_decoy.home / "settings.json").write_text(
        json.dumps({**settings, "secret": "08" * 32}), encoding="utf-8"
    )
    start(own_decoy)
    assert not set(before.values()) & set(host_keys(own_decoy).values())


def test_a_changed_persona_is_taken_up_and_others_stay(own_decoy: Decoy) -> None:
    own_decoy.write_persona(own_decoy.persona(identification="SSH-2.0-OpenSSH_9.9"))
    own_decoy.wait_for("CowrieStarted", 2, persona="acme/mx")
    with own_decoy.connect() as connection:
        assert connection.recv(100) == b"SSH-2.0-OpenSSH_9.9\r\n"
    assert len(own_decoy.events("CowrieStarted", persona="acme/dark")) == 1


def test_a_bad_persona_changes_nothing_and_says_where_it_is_bad(own_decoy: Decoy) -> None:
    own_decoy.write_persona(own_decoy.persona().replace("banner:", "baner:"))
    assert "baner: unknown key" in own_decoy.wait_for("SettingsRefused")["reason"]
    assert "mail1" in own_decoy.ssh("hostname").stdout


def test_a_persona_without_ssh_any_more_is_refused_by_the_kernel(own_decoy: Decoy) -> None:
    own_decoy.write_persona(
        "postern-persona: 1\ntenant: acme\nhosts: {dark: {addresses: dark, services: {}}}\n"
    )
    own_decoy.wait_for("CowrieStopped", 2)
    with pytest.raises(ConnectionRefusedError):
        own_decoy.connect()
    assert cowries_of(own_decoy) == []


def test_one_source_cannot_take_all_sessions(own_decoy: Decoy) -> None:
    held = [own_decoy.connect() for _ in range(20)]
    try:
        for connection in held:
            assert connection.recv(100).startswith(b"SSH")
        with pytest.raises(ConnectionResetError), own_decoy.connect() as refused:
            refused.recv(100)
        assert own_decoy.wait_for("SessionRefused")["server"] == MX
        with socket.create_connection((MX, own_decoy.ssh_port), 20, ("127.0.0.2", 0)) as other:
            assert other.recv(100).startswith(b"SSH")
    finally:
        for connection in held:
            connection.close()


def test_a_host_without_cowrie_is_told_the_remedy(own_decoy: Decoy) -> None:
    files = [
        "--settings",
        str(own_decoy.home / "settings.json"),
        "--personas",
        str(own_decoy.home / "personas"),
    ]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "services.cowrie.main",
            *files,
            "--spool",
            str(own_decoy.home / "other"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "POSTERN_COWRIE_VENV": "/nowhere"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 1
    assert "deploy/setup/cowrie-environment" in done.stderr


def test_a_cowrie_that_hangs_is_replaced_and_who_waits_is_served(own_decoy: Decoy) -> None:
    os.kill(own_decoy.pid(), signal.SIGSTOP)
    time.sleep(10)  # it counts as hung after 15 s, and a client waits for 30 s at most
    with own_decoy.connect() as waiting:
        waiting.settimeout(60)
        assert waiting.recv(100).startswith(b"SSH")
    assert own_decoy.wait_for("CowrieDied")["reason"] == "it did not respond"


def test_a_cowrie_that_is_not_kept_ready_starts_for_its_first_attacker(own_decoy: Decoy) -> None:
    stop(own_decoy.process)
    start(own_decoy, "--ready", "0", cowries=0)
    own_decoy.wait_for("SettingsLoaded", 2)
    assert cowries_of(own_decoy) == []
    assert "mail1" in own_decoy.ssh("hostname").stdout
    assert len(cowries_of(own_decoy)) == 1


def test_cowrie_answers_though_its_user_may_enter_neither_checkout_nor_environment_nor_spool(
    tmp_path: Path,
) -> None:
    """As with a checkout in a home directory of mode 0700, made with umask 077."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(ROOT / "services", closed / "services", ignore=shutil.ignore_patterns("__pycache__"))
    for path in closed.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    (closed / "venv").symlink_to(find_installed().environment)
    places = {"PYTHONPATH": str(closed), "POSTERN_COWRIE_VENV": str(closed / "venv")}
    decoy = begin(closed / "decoy", environment={**os.environ, **places})
    try:
        assert "uid=0(root)" in decoy.ssh("id").stdout
        assert decoy.events("CowrieDied") == []
    finally:
        stop(decoy.process)
