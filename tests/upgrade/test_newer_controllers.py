"""A host with an uplink, at a controller that is newer: the host keeps what it had, even when it restarts."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.mail.conftest import free_port
from tests.upgrade.conftest import Play, SetStage
from tests.upgrade.dialogues import RELEASES
from tests.upgrade.stories import Program, Stage

pytestmark = pytest.mark.programs

NEWER = {"format": 2, "revision": 2, "tenants": []}


def here(port: int, **more: object) -> Callable[[Any], Any]:
    """Return what makes recorded settings of responders fit for this machine."""
    return lambda settings: {**settings, "port": port, "transparent": False, **more}


@contextmanager
def uplink(stage: Stage) -> Iterator[tuple[Program, Path]]:
    token, file = stage.home / "token", stage.home / "responders.json"
    token.touch(0o600)
    token.write_text("a-token", encoding="utf-8")
    there = ("--api", stage.api, "--token-file", str(token), "--member", "responders.responder1")
    listen = ("--settings", str(file), "--listen", str(stage.home / "api.sock"))
    with stage.running("uplink.main", *there, *listen) as program:
        yield program, file


@contextmanager
def responder(stage: Stage, file: Path) -> Iterator[Program]:
    with stage.running("responder.main", "--settings", str(file)) as program:
        program.wait_for("ResponderStarted")
        yield program


@pytest.mark.parametrize("release", RELEASES)
def test_settings_of_another_format_are_named_and_a_host_that_restarts_has_the_last_good_ones(
    stage_of: SetStage, play: Play, release: str
) -> None:
    stage, port = stage_of(release), free_port()
    player = play(stage, release, "uplink")
    player.change = here(port)
    with uplink(stage) as (program, file):
        program.wait_for("SettingsBrought")
        good = file.read_bytes()
    player.change = here(port, **NEWER)
    with uplink(stage) as (program, file):
        refused = program.wait_for("SettingsRefused")["reason"]
    assert "format: is 2, this program reads 1; remedy: upgrade the program that reads this" in refused
    assert file.read_bytes() == good
    with responder(stage, file) as program:
        assert program.wait_for("SettingsLoaded")["revision"] == 1


@pytest.mark.parametrize("release", RELEASES)
def test_keys_of_a_newer_controller_come_through_to_the_program_which_names_them(
    stage_of: SetStage, play: Play, release: str
) -> None:
    stage = stage_of(release)
    play(stage, release, "uplink").change = here(free_port(), greeting="hello")
    with uplink(stage) as (program, file):
        program.wait_for("SettingsBrought")
        assert json.loads(file.read_bytes())["greeting"] == "hello"
        with responder(stage, file) as program:
            assert program.wait_for("SettingsLoaded")["unknown_keys"] == ["greeting"]


@pytest.mark.parametrize("release", RELEASES)
def test_settings_for_a_kind_of_host_that_is_newer_than_the_uplink_are_brought_as_they_are(
    stage_of: SetStage, play: Play, release: str
) -> None:
    stage = stage_of(release)
    play(stage, release, "uplink").change = here(free_port(), role="greeter", format=2)
    with uplink(stage) as (program, file):
        program.wait_for("SettingsBrought")
        assert json.loads(file.read_bytes())["role"] == "greeter"
