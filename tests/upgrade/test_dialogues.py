"""The recorded dialogues: what a file may hold, and that they can be recorded again."""

import re
from pathlib import Path

import pytest

from tests.upgrade.dialogues import RELEASES, Dialogue, Exchange, load, lost, save, stories_of
from tests.upgrade.record import controller_of, record
from tests.upgrade.stories import ROOT, STORIES

_OF_A_MACHINE = re.compile(r"/(tmp|home|root|work)/")


@pytest.mark.parametrize("release", RELEASES)
def test_a_release_has_every_story_that_it_could_tell(release: str) -> None:
    assert set(stories_of(release)) <= set(STORIES)
    assert set(stories_of(RELEASES[-1])) == set(STORIES)


@pytest.mark.parametrize("release", RELEASES)
def test_a_file_has_no_path_of_the_machine_that_recorded_it(release: str) -> None:
    for file in (Path(__file__).parent / release).iterdir():
        assert not _OF_A_MACHINE.search(file.read_text(encoding="utf-8")), file


def test_a_dialogue_that_nobody_would_review_is_not_written(tmp_path: Path) -> None:
    large = Exchange("GET", "/", {}, None, 200, {}, "x" * 70_000)
    for exchanges in ((large,), (large,) * 21):
        with pytest.raises(ValueError, match="more than"):
            save(tmp_path, "story", Dialogue(exchanges))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("recorded", "now", "problems"),
    [
        ({"a": 1}, {"a": 2.5, "b": 1}, []),
        ({"a": {"b": [{"c": "x"}]}}, {"a": {"b": [{"d": "x"}]}}, ["answer.a.b[0].c is missing"]),
        ({"a": [1]}, {"a": []}, ["answer.a is empty"]),
        ({"a": True}, {"a": 1}, ["answer.a was True, is 1"]),
        ({"a": None}, {"a": 7}, []),
        ({"a": "x"}, {"a": None}, ["answer.a was 'x', is None"]),
    ],
)
def test_what_an_answer_has_lost_is_named(recorded: object, now: object, problems: list[str]) -> None:
    assert list(lost(recorded, now)) == problems


@pytest.mark.programs
@pytest.mark.parametrize("story", ["consent", "health_agent", "uplink"])
def test_a_dialogue_can_be_recorded_again_and_has_the_same_questions(story: str, tmp_path: Path) -> None:
    with controller_of(ROOT) as controller:
        record(story, controller, ROOT, tmp_path / "now")
    now, recorded = load("now", story, tmp_path), load(RELEASES[-1], story)
    assert {each.question for each in now.exchanges} == {each.question for each in recorded.exchanges}
