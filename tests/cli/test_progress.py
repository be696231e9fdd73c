"""Commands that take long: each shows its progress, whatever it is waiting for."""

import json
from collections.abc import Callable
from typing import NoReturn

import pytest

from common import commands
from common.terminal import Progress
from controller.api.client import ApiClient, ControllerUnreachable
from lab.errors import LabError
from tests.cli.conftest import Postern
from tests.cli.test_bad_answers import COMMANDS
from tests.cli.test_every_command import LEAVES

# What is not UTF-8 is refused before the controller is asked.
_ASKED = [[word.replace("\udcff", "") for word in each] for each in COMMANDS if "--json" not in each]
_ASK = {name for name, parser in LEAVES.items() if "--api" in parser._option_string_actions}


def name_of(words: list[str]) -> str:
    return next(name for name in (" ".join(words[:2]), words[0]) if name in LEAVES)


@pytest.fixture
def three_seconds(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let three seconds pass, on the clock of the command that runs."""
    now, running = [100.0], list[Progress]()

    def begin(is_silent: bool, text: str) -> Progress:
        running.append(Progress(is_silent, clock=lambda: now[0], text=text))
        return running[-1]

    def pass_by() -> None:
        now[0] += 3
        running[-1].tick()

    monkeypatch.setattr(commands, "Progress", begin)
    return pass_by


@pytest.fixture
def late(three_seconds: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A controller that lets a command wait for three seconds, and then goes away."""

    def request(*_: object) -> NoReturn:
        three_seconds()
        raise ControllerUnreachable(["gone"])

    monkeypatch.setattr(ApiClient, "_request", request)


def test_every_command_that_asks_the_controller_is_in_this_test() -> None:
    assert {name_of(each) for each in _ASKED} == _ASK


@pytest.mark.parametrize("words", _ASKED, ids=name_of)
def test_a_command_shows_that_it_waits_for_the_controller(
    postern: Postern, late: None, words: list[str]
) -> None:
    answer = postern(*words)
    progress, error = answer.err.splitlines()
    assert (answer.out, error) == ("", "gone")
    assert progress.endswith(" (3 s)")


@pytest.mark.parametrize("words", _ASKED, ids=name_of)
def test_with_json_a_command_that_waits_prints_only_its_document(
    postern: Postern, late: None, words: list[str]
) -> None:
    answer = postern(*words, "--json")
    assert (answer.out, json.loads(answer.err)) == ("", {"errors": ["gone"]})


def test_apply_shows_that_the_controller_compiles(postern: Postern, late: None) -> None:
    (words,) = [each for each in _ASKED if each[0] == "apply"]
    assert postern(*words).err.startswith(f"{words[1]}: the controller checks and compiles it (3 s)\n")


@pytest.mark.parametrize(
    ("words", "work"),
    [
        (["doctor"], "cli.doctor._look_at"),
        (["lab", "status"], "cli.lab.Lab.status"),
        (["lab", "stop", "scanner1.clamd"], "cli.lab.Lab.stop"),
        (["check", "policy.yaml"], "cli.check.read_text"),
    ],
)
def test_a_command_that_works_on_this_machine_shows_it(
    postern: Postern,
    three_seconds: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    work: str,
) -> None:
    def fail(*_: object) -> NoReturn:
        three_seconds()
        raise LabError("failed") if words[0] == "lab" else commands.CommandError(["failed"])

    monkeypatch.setattr(work, fail)
    assert postern(*words).err.splitlines()[0] == f"postern {name_of(words)}: working (3 s)"
