"""Every program of ours as somebody starts it: in a strange environment, and with a mistake inside."""

import configparser
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
_PARSER = configparser.ConfigParser()
_PARSER.read(ROOT / "setup.cfg", encoding="utf-8")
_SCRIPTS = _PARSER["options.entry_points"]["console_scripts"].strip().splitlines()
MODULES = {
    name.strip(): place.strip().partition(":")[0] for name, _, place in (s.partition("=") for s in _SCRIPTS)
}
OTHERS = ["cli.docs", "cli.manpages", "lab.demo.__main__"]
OTHERS += [
    f"benchmarks.{name}"
    for name in (
        "antivirus",
        "antivirus_storm",
        "decoy",
        "mail",
        "pools",
        "steering",
    )
]
OTHERS += ["benchmarks.tcp_load"]

ASCII_ONLY = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # as strict as a locale can be
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "nothing at all": {},
    "no PATH that leads anywhere": {"PATH": "/nonexistent"},
    "LC_ALL=C": {"LC_ALL": "C"},
    "ASCII": ASCII_ONLY,
    "a Latin-1 terminal": {**ASCII_ONLY, "LC_ALL": "de_DE.ISO-8859-1", "PYTHONIOENCODING": "iso-8859-1"},
    "no temporary directory": {"TMPDIR": "/nonexistent"},
    "everything": {**ASCII_ONLY, "PATH": "/nonexistent", "TMPDIR": "/nonexistent"},
}
Start = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start a program with umask 077, without HOME or LANG, in a directory that is removed meanwhile."""

    def start(*command: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
        gone = tmp_path / "gone"
        gone.mkdir()
        within = ["/bin/sh", "-c", '/bin/rmdir "$0" && umask 077 && exec "$@"', gone, *command]
        return subprocess.run(
            within,
            cwd=gone,
            env={"LOGS_DIRECTORY": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", **environment},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
        )

    return start


def report_of(tmp_path: Path) -> str:
    (file,) = (tmp_path / "reports").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize("program", MODULES)
def test_a_program_explains_itself_in_any_environment(program: str, start: Start) -> None:
    done = start(BIN / program, "--help", **ENVIRONMENTS["everything"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: " in done.stdout
    for word in ("Traceback", "None", "unexpected error"):
        assert word not in done.stdout


@pytest.mark.parametrize("program", MODULES)
def test_a_program_refuses_an_argument_in_any_letters(program: str, start: Start) -> None:
    done = start(BIN / program, "--größe", "\N{SNOWMAN}", **ENVIRONMENTS["everything"])
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert f"{program}" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_a_policy_of_any_name_is_checked_in_any_environment(
    environment: dict[str, str], start: Start, tmp_path: Path
) -> None:
    file = tmp_path / "größe-\N{SNOWMAN}.yaml"
    shutil.copy(ROOT / "policies" / "demo.yaml", file)
    done = start(BIN / "postern", "check", file, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "-" in done.stdout
    assert ": valid. 1 switch" in done.stdout


def test_a_program_finds_what_an_ordinary_users_path_lacks(start: Start) -> None:
    told = "import os; from common import entry; entry.run('p', lambda: print(os.environ['PATH']))"
    done = start(sys.executable, "-c", told, PATH="/usr/bin:/bin")
    assert {"/usr/sbin", "/sbin", "/usr/local/sbin"} <= set(done.stdout.strip().split(":"))


_WRONG = """
import importlib, sys
module = importlib.import_module(sys.argv[1])
def main(*_):
    raise RuntimeError("gr\\xf6\\xdfe \\N{SNOWMAN} \\x1b[2J")
module.main = main
sys.exit(module.run())
"""


@pytest.mark.parametrize("module", [*MODULES.values(), *OTHERS])
def test_a_mistake_of_ours_is_one_line_and_a_report(module: str, start: Start, tmp_path: Path) -> None:
    done = start(sys.executable, "-c", _WRONG, module, **ENVIRONMENTS["everything"])
    assert (done.returncode, done.stdout) == (70, "")
    (line,) = done.stderr.splitlines()
    assert "Traceback" not in line
    assert "unexpected error: RuntimeError: gr" in line
    assert f"; report: {tmp_path}/reports/" in line
    assert "; remedy: run `postern doctor`" in line
    assert "Traceback (most recent call last)" in report_of(tmp_path)


def test_every_program_of_ours_is_in_this_test() -> None:
    found = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for package in ("apps", "benchmarks", "cli", "common", "controller", "lab", "services")
        for file in (ROOT / package).rglob("*.py")
        if 'if __name__ == "__main__":' in file.read_text(encoding="utf-8")
    }
    elsewhere = {"controller.openflow.compat", "controller.prover.worker", "lab.network_owner"}
    elsewhere |= {"services.cowrie.plugin.__main__"}
    # They use the switches of the tests, so they run in the checkout only.
    elsewhere |= {"benchmarks.control_plane", "benchmarks.drift", "benchmarks.proof"}
    assert found - elsewhere == {*MODULES.values(), *OTHERS}


WITHIN = "import asyncio, os, sys, threading, time\nfrom common import entry\n"


def test_an_error_in_a_thread_is_one_line_and_a_report(start: Start, tmp_path: Path) -> None:
    done = start(
        sys.executable,
        "-c",
        WITHIN
        + "def main():\n t = threading.Thread(target=lambda: 1 / 0, name='reader'); t.start(); t.join()\n"
        "sys.exit(entry.run('postern-test', main))",
    )
    (line,) = done.stderr.splitlines()
    assert done.returncode == 0
    assert line.startswith("postern-test: unexpected error (in thread reader): ZeroDivisionError")
    assert "ZeroDivisionError" in report_of(tmp_path)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_error_in_a_callback_of_a_loop_is_told_once_however_often_it_comes(
    loop: str, start: Start, tmp_path: Path
) -> None:
    done = start(
        sys.executable,
        "-c",
        WITHIN + f"import {loop} as loop\n"
        "async def run():\n"
        " for _ in range(50): asyncio.get_running_loop().call_soon(lambda: 1 / 0)\n"
        " await asyncio.sleep(0.01)\n"
        "sys.exit(entry.run('postern-test', lambda: loop.run(run())))",
    )
    (line,) = done.stderr.splitlines()
    assert done.returncode == 0
    assert "ZeroDivisionError" in line
    assert "ZeroDivisionError" in report_of(tmp_path)


def test_an_error_in_a_destructor_is_one_line_and_a_report(start: Start, tmp_path: Path) -> None:
    done = start(
        sys.executable,
        "-c",
        WITHIN + "class Bad:\n def __del__(self): raise KeyError('x')\n"
        "def main():\n bad = Bad(); del bad\n"
        "sys.exit(entry.run('postern-test', main))",
    )
    (line,) = done.stderr.splitlines()
    assert "KeyError: 'x'" in line
    assert "KeyError" in report_of(tmp_path)


# Whoever is started in the background by a shell inherits that SIGINT is ignored.
_HEEDING_INTERRUPTS = ("env", "--default-signal=INT")


def test_a_keyboard_interrupt_is_no_error(start: Start) -> None:
    done = start(
        *_HEEDING_INTERRUPTS,
        sys.executable,
        "-c",
        WITHIN + "def main():\n os.kill(os.getpid(), 2); time.sleep(5)\n"
        "sys.exit(entry.run('postern-test', main))",
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\n")


def test_an_interrupt_while_a_program_still_imports_shows_no_traceback(start: Start) -> None:
    for told, is_shown in (("os.kill(os.getpid(), 2); time.sleep(5)", False), ("1 / 0", True)):
        done = start(*_HEEDING_INTERRUPTS, sys.executable, "-c", f"import os, time; {told}")
        assert ("Traceback" in done.stderr) == is_shown
        assert done.returncode == (1 if is_shown else -2)


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    for unbuffered in ("", "1"):
        done = subprocess.run(
            ["bash", "-c", '"$0" schema | head -1; exit "${PIPESTATUS[0]}"', BIN / "postern"],
            env={"PYTHONUNBUFFERED": unbuffered, "PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_under_standard_output_is_said_in_one_sentence(unbuffered: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [BIN / "postern", "schema"],
            env={"PYTHONUNBUFFERED": unbuffered, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=60,
        )
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith("postern: standard output cannot be written: No space left on device; remedy: ")


def test_a_closed_standard_output_gives_its_number_to_no_file(tmp_path: Path) -> None:
    told = (
        WITHIN
        + f"entry.run('p', lambda: print(open({str(tmp_path / 'f')!r}, 'wb').fileno(), file=sys.stderr))"
    )
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&- <&-', "sh", sys.executable, "-c", told],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert int(done.stderr) > 2


def test_where_no_report_can_be_written_it_follows_the_line() -> None:
    told = WITHIN + "entry.reports.tempfile.gettempdir = lambda: '/proc'\n"
    told += "entry.reports.directories = lambda *_: iter(())\n"
    told += "def main():\n raise KeyError('x')\nsys.exit(entry.run('postern-test', main))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, encoding="utf-8", timeout=60)
    line, *rest = done.stderr.splitlines()
    assert done.returncode == 70
    assert line.startswith("postern-test: unexpected error: KeyError: 'x'; no report could be written")
    assert "KeyError: 'x'" in rest
