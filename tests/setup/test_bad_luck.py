"""What the set-up says, and leaves alone, when something is in its way."""

import fcntl
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.setup.scripts import CALM, REPOSITORY, SETUP, call, run

pytestmark = pytest.mark.programs

_SAID = {
    "Err:1 http://mirror.example/debian bookworm InRelease\n  Temporary failure resolving 'mirror.example'":
        "mirror.example cannot be reached",
    "  Could not connect to mirror.example:80 (192.0.2.1), connection timed out":
        "mirror.example:80 cannot be reached",
    "W: Failed to fetch x  Unable to connect to 127.0.0.1:3142:": "127.0.0.1:3142 cannot be reached",
    "E: Unable to locate package nmapp\nE: Unable to locate package mininett":
        "there is no package nmapp mininett for this machine",
    "E: Package 'swaks' has no installation candidate": "there is no package swaks for this machine",
    "Temporary failure resolving 'mirror.example'\nE: Unable to locate package nmap":
        "mirror.example cannot be reached",
    "Errors were encountered while processing:\n crowdsec\n mininet\nE: Sub-process returned an error":
        "dpkg cannot configure crowdsec mininet",
    "E: You don't have enough free space in /var/cache/apt/archives/.": "the disk is full",
    "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device":
        "the disk is full",
    "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError('<x>: Failed to "
    "establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/six/\n"
    "ERROR: No matching distribution found for six==1.17.0":
        "the index of Python packages cannot be reached",
    "ERROR: No matching distribution found for uvloop==0.23.0": "there is no package uvloop==0.23.0",
    "WARNING: Retrying after connection broken by 'SSLError(SSLCertVerificationError(1, "
    "'[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed'))'": "is not trusted",
    "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.":
        "does not match its hash",
}  # fmt: skip


@pytest.mark.parametrize("said", _SAID)
def test_what_apt_and_pip_print_becomes_one_sentence_with_a_remedy(said: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"Reading package lists...\n{said}\n", encoding="utf-8")
    explained = call(f"explain '{tmp_path}/log'", "progress.sh")
    assert _SAID[said] in explained and "; remedy: " in explained and explained.count("\n") == 1


def test_a_failure_that_nobody_foresaw_shows_the_end_of_what_was_said(tmp_path: Path) -> None:
    script = 'attend label unknown_progress sh -c "echo strange; exit 3" || give_up "it failed"'
    shown = call(script, "progress.sh", environment=CALM | {"TMPDIR": str(tmp_path)})
    assert "strange\nsetup: it failed: see above; remedy: " in shown
    (log,) = tmp_path.glob("postern-setup.*")
    assert log.read_text(encoding="utf-8") == "strange\n" and log.stat().st_mode & 0o044


def test_a_long_step_shows_how_far_it_is_where_nobody_sits_at_a_terminal() -> None:
    script = "INTERVAL_S=1; half() { echo half; }; attend 'a step' half sleep 2.3"
    shown = call(script, "progress.sh").splitlines()
    assert shown[0] == "setup: a step"
    assert re.fullmatch(r"setup: a step: half \(\d+ s\)", shown[1])
    assert re.fullmatch(r"setup: a step: done \(\d+ s\)", shown[-1])


def test_a_long_step_has_one_line_at_a_terminal_that_is_rewritten() -> None:
    ours, theirs = pty.openpty()
    script = (
        "source deploy/setup/common.sh; source $SETUP/progress.sh; attend 'a step' unknown_progress sleep 1.2"
    )
    environment = CALM | {"TERM": "xterm"}
    subprocess.run(
        ["bash", "-c", script], cwd=REPOSITORY, stdout=theirs, env=environment, timeout=30, check=True
    )
    os.close(theirs)
    shown = os.read(ours, 4096).decode()
    os.close(ours)
    assert re.match(r"\r\x1b\[Ksetup: a step \(\d+ s\)\r\x1b\[Ksetup: a step", shown)
    assert re.search(r"\r\x1b\[Ksetup: a step: done \(\d+ s\)\r\n$", shown)


def test_a_place_that_is_not_an_environment_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("precious", encoding="utf-8")
    done = run(SETUP / "environment", environment=CALM | {"POSTERN_VENV": str(tmp_path)})
    assert done.returncode == 1
    assert done.stderr.startswith(f"setup: {tmp_path} exists, but is not a virtual environment; remedy: ")
    assert (tmp_path / "letters").read_text(encoding="utf-8") == "precious"


def test_an_environment_that_was_half_made_is_made_anew_and_a_disk_without_room_is_named(
    tmp_path: Path,
) -> None:
    place = tmp_path / "venv"
    place.mkdir()
    (place / "postern-setup.begun").touch()
    (place / "lib").mkdir()
    shown = call(f"make_environment '{place}' 99999999", "python.sh")
    assert f"setup: {place} has " in shown and " MB free, but 99999999 MB are needed; remedy: " in shown
    assert [file.name for file in place.iterdir()] == ["postern-setup.begun"]


def test_a_place_for_temporary_files_that_is_full_is_named(tmp_path: Path) -> None:
    """Here it is one that takes no file from anybody."""
    environment = CALM | {"POSTERN_VENV": str(tmp_path / "venv")}
    for script in ("attend label unknown_progress true", "need_index x x", "temporary -d"):
        shown = call(f"export TMPDIR=/proc; {script}; echo went on", "python.sh", environment=environment)
        assert (
            shown == "setup: no file can be written in /proc; remedy: free some space there, "
            "then run 'make setup' again\n"
        )


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    environment = CALM | {
        "POSTERN_VENV": str(tmp_path / "venv"),
        "POSTERN_PYTHON": "/opt/python9/bin/python9",
    }
    done = run(SETUP / "environment", environment=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("setup: /opt/python9/bin/python9 is missing; remedy: ")


def test_who_holds_the_lock_of_dpkg_is_named_and_not_waited_for_for_ever(tmp_path: Path) -> None:
    lock = tmp_path / "lock-frontend"
    with lock.open("w", encoding="ascii") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        environment = CALM | {"POSTERN_LOCK_PATIENCE_S": "1"}
        shown = call(f"LOCKS=('{lock}'); wait_for_locks", "dpkg-locks.sh", environment=environment)
    holder = f"process {os.getpid()} ("
    assert shown.startswith(f"setup: waiting for {holder}")
    assert f"which holds {lock}, has not ended within 1 s; remedy: " in shown
    assert call(f"LOCKS=('{lock}' /nonexistent); wait_for_locks; echo free", "dpkg-locks.sh") == "free\n"


def test_a_second_set_up_of_the_same_checkout_says_that_it_waits(tmp_path: Path) -> None:
    held = tmp_path / "held"
    script = (
        f"( flock 7; touch '{held}'; sleep 3 ) 7<'{tmp_path}' & until [ -e '{held}' ]; do sleep 0.05; done; "
        f"lock_environment '{tmp_path}/venv'; echo mine"
    )
    shown = call(script, "python.sh").splitlines()
    assert shown == ["setup: another set-up is making an environment here; waiting for it", "mine"]


def test_a_group_that_there_is_not_is_named() -> None:
    done = run(SETUP / "setup", "everything")
    assert done.returncode == 1
    assert done.stderr == "setup: there is no group 'everything' of packages; remedy: use demo or test\n"
