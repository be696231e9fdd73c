"""The programs of today at controllers of other releases: real programs, recorded answers and settings.

Most programs have tests of their own for the keys of a newer controller and for another format of their
settings; here are those that had none.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.antivirus.builder.store import Store
from tests.mail.conftest import free_port
from tests.mail.scripted import Client
from tests.upgrade.conftest import Play, SetStage
from tests.upgrade.dialogues import RELEASES, stories_of
from tests.upgrade.stories import STORIES, Program, Stage, write_whole

pytestmark = pytest.mark.programs

TOLD = [(release, story) for release in RELEASES for story in stories_of(release)]
REFUSED = {
    2: "format: is 2, this program reads 1; remedy: upgrade the program that reads this",
    0: "format: is 0, this program reads 1; remedy: upgrade the program that writes this",
}


def as_recorded(answer: Any) -> Any:
    return answer


def with_keys_of_a_newer_release(answer: Any) -> Any:
    """Return an answer with one more key in each object."""
    if isinstance(answer, dict):
        return {**{key: with_keys_of_a_newer_release(value) for key, value in answer.items()}, "novelty": [1]}
    return [with_keys_of_a_newer_release(each) for each in answer] if isinstance(answer, list) else answer


@pytest.mark.parametrize("change", [as_recorded, with_keys_of_a_newer_release])
@pytest.mark.parametrize(("release", "story"), TOLD)
def test_a_program_works_with_the_answers_of_another_release(
    stage_of: SetStage, play: Play, release: str, story: str, change: Callable[[Any], Any]
) -> None:
    stage = stage_of(release)
    player = play(stage, release, story)
    player.change = change
    STORIES[story].tell(stage)
    assert player.recorded <= player.questions()


@contextmanager
def _scanner(stage: Stage) -> Iterator[tuple[Program, Path]]:
    with stage.gateway("scanners") as (program, client):
        client.hello()
        yield program, stage.home / "scanners.json"


@contextmanager
def _responder(stage: Stage) -> Iterator[tuple[Program, Path]]:
    (first, *_) = stage.settings["responders"]["tenants"]
    port, tenants = free_port(), [{**first, "servers": ["127.0.1.10"]}]
    file = stage.settings_file("responders", port=port, tenants=tenants, transparent=False)
    with stage.running("responder.main", "--settings", str(file)) as program:
        program.wait_for("ResponderStarted")
        with contextlib.closing(Client(port, server="127.0.1.10")) as client:
            client.hello()
            assert client.ask(b"MAIL FROM:<a@b.example>")[:3] == "451"
        yield program, file


@contextmanager
def _builder(stage: Stage) -> Iterator[tuple[Program, Path]]:
    file = stage.settings_file("antivirus", immunity="on")
    where = ("--store", str(Store(stage.home / "store").root), "watch", "--settings", str(file))
    with stage.running("antivirus.builder.main", *where, "--captures", str(stage.home)) as program:
        assert program.wait_for("ModeChanged")["mode"] == "on"
        yield program, file


@contextmanager
def _sensors(stage: Stage) -> Iterator[tuple[Program, Path]]:
    file, eve, settings = stage.settings_file("decoys"), stage.home / "eve.json", stage.home / "sensors.yaml"
    eve.touch()
    text = f"postern-sensors: 1\ntenants: {file}\nsuricata: {{main: {{file: {eve}}}}}\n"
    settings.write_text(text, encoding="utf-8")
    where = ("--settings", str(settings), "--state-dir", str(stage.home), "--api", f"unix:{stage.home}/none")
    with stage.running("sensors.main", *where) as program:
        assert program.wait_for("TenantsLoaded")["tenants"] == 2
        yield program, file


Run = Callable[[Stage], AbstractContextManager[tuple[Program, Path]]]
RUNS: list[Run] = [_scanner, _responder, _builder, _sensors]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("release", RELEASES)
def test_a_program_takes_up_the_settings_of_an_older_controller_and_refuses_another_format(
    stage_of: SetStage, release: str, run: Run
) -> None:
    with run(stage_of(release)) as (program, file):
        good = json.loads(file.read_bytes())
        for number, (other, reason) in enumerate(REFUSED.items(), 1):
            write_whole(file, {**good, "format": other, "revision": 2})
            refused = program.wait_for("SettingsRefused", "TenantsRefused", count=number)
            assert reason in refused["reason"]
        assert program.process.poll() is None
        write_whole(file, {**good, "revision": 3})
        program.wait_for("SettingsLoaded", "TenantsLoaded", count=2)
