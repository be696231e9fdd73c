"""Several commands at once, as `make test` runs them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.antivirus.conftest import await_that
from tests.setup.scripts import CALM, REPOSITORY, run

pytestmark = pytest.mark.programs

_AT_ONCE = REPOSITORY / "tests" / "at-once"


def test_what_the_second_said_follows_what_the_first_said() -> None:
    done = run(_AT_ONCE, "echo", "one", "--and", "sh", "-c", "echo two; echo three >&2")
    assert (done.stdout, done.returncode) == ("one\ntwo\nthree\n", 0)


@pytest.mark.parametrize(("first", "second"), [("false", "true"), ("true", "false")])
def test_either_failure_is_a_failure_and_the_other_one_goes_on(first: str, second: str) -> None:
    done = run(
        _AT_ONCE, "sh", "-c", f"echo one; {first}", "--and", "sh", "-c", f"sleep 0.2; echo two; {second}"
    )
    assert (done.stdout, done.returncode) == ("one\ntwo\n", 1)


@pytest.mark.parametrize(
    ("first", "second", "third", "again"),
    [("false", "true", "true", "one\n"), ("true", "false", "true", "two\n"), ("true", "true", "false", "")],
)
def test_a_failure_is_not_lost_before_what_others_said(
    first: str, second: str, third: str, again: str
) -> None:
    commands = (f"echo one; {first}", f"echo two; {second}", f"echo three; {third}")
    words = [word for each in commands for word in ("--and", "sh", "-c", each)][1:]
    done = run(_AT_ONCE, *words)
    assert done.stdout == "one\ntwo\nthree\n"
    assert done.stderr == (f"at-once: this failed; its output ends:\n{again}" if again else "")


def test_what_the_others_said_comes_in_their_order() -> None:
    done = run(_AT_ONCE, "echo", "one", "--and", "sh", "-c", "sleep 0.2; echo two", "--and", "echo", "three")
    assert (done.stdout, done.returncode) == ("one\ntwo\nthree\n", 0)


@pytest.mark.parametrize("words", [["true"], ["true", "--and"], ["--and", "true"], []])
def test_one_command_is_not_two(words: list[str]) -> None:
    assert run(_AT_ONCE, *words).returncode == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_of_tests_that_is_ended_ends_both_and_tests_clean_up(
    tmp_path: Path, number: int, code: int
) -> None:
    (tmp_path / "test_endless.py").write_text(_ENDLESS, encoding="utf-8")
    tests = [sys.executable, "-m", "pytest", "-c", "/dev/null", "-p", "tests.conftest"]
    unignored = ["env", "--default-signal"]  # started in the background, we have SIGINT ignored
    command = [
        *unignored,
        str(_AT_ONCE),
        "sleep",
        "100",
        "--and",
        *tests,
        f"--rootdir={tmp_path}",
        str(tmp_path),
    ]
    environment = CALM | {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(command, env=environment, start_new_session=True) as running:
        await_that((tmp_path / "begun").exists, "the test runs")
        os.killpg(running.pid, number)
        assert running.wait(30) == code
    assert (tmp_path / "cleaned-up").exists()
    assert subprocess.run(["pgrep", "-s", str(running.pid)], stdout=subprocess.DEVNULL).returncode == 1


_ENDLESS = """
import time
from pathlib import Path
def test_endless():
    here = Path(__file__).parent
    try:
        (here / "begun").touch()
        time.sleep(100)
    finally:
        (here / "cleaned-up").touch()
"""
