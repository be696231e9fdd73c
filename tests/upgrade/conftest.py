"""Programs on a stage whose other end is recorded, with settings of the controller of a release."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.upgrade.dialogues import load
from tests.upgrade.ends import Player
from tests.upgrade.stories import MEMBER_BY_POOL, SOCKET, STORIES, Stage

SetStage = Callable[[str], Stage]


def settings_of(release: str) -> dict[str, dict[str, object]]:
    """Return what the controller of a release wrote for each pool, as its uplinks got it."""
    dialogue = load(release, "uplink")
    return {pool: dialogue.answer_to("GET", f"/v1/settings/{pool}") for pool in MEMBER_BY_POOL}


@pytest.fixture
def stage_of() -> Iterator[SetStage]:
    """Set a stage with the settings of a release, in a directory whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="pu-") as directory:
        home = Path(directory) / "home"
        home.mkdir()
        yield lambda release: Stage(home, settings_of(release))


Play = Callable[[Stage, str, str], Player]


@pytest.fixture
def play() -> Iterator[Play]:
    """Start the other end of a stage: it plays the dialogue that a release had in a story."""
    started: list[Player] = []

    def start(stage: Stage, release: str, story: str) -> Player:
        dialogue, is_socket = load(release, story), STORIES[story].other_end is SOCKET
        started.append(Player(stage.home / "api.sock" if is_socket else None, dialogue))
        stage.files.update(dialogue.files)
        stage.end = started[-1]
        return started[-1]

    yield start
    for each in started:
        each.close()
