"""The life of a daemon: settings taken up or refused, tasks that start again, signals, an orderly end."""

import asyncio
import errno
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from common.journal.journal import Journal
from services.base.daemon import Job, SettingsDaemon
from services.base.journal import BatchedJournal
from services.base.settings import SettingsError
from tests.journals import Pages


class Sample(SettingsDaemon[int]):
    """Its settings are one number; each step of its life is noted."""

    poll_s = restart_s = 0.005

    def __init__(self, file: Path, pages: Pages) -> None:
        super().__init__(file, Journal(pages, "postern-sample", "s1"))
        self.steps: list[str] = []
        self.faults = self.looks = 0

    def read(self) -> int:
        text = self.file.read()
        if "\0" in text:
            os.stat(text)
        try:
            return int(text)
        except ValueError as error:
            raise SettingsError("not a number; remedy: write one") from error

    def describe(self, settings: int) -> Mapping[str, object]:
        return {"revision": settings}

    async def start(self) -> None:
        self.steps.append("start")
        await super().start()

    def chores(self) -> Mapping[str, Job]:
        return {**super().chores(), "work": self._work}

    async def look_around(self) -> None:
        self.looks += 1

    async def leave(self) -> None:
        self.steps.append("leave")

    async def close(self) -> None:
        self.steps.append("close")

    def note_stopped(self) -> None:
        self.steps.append("stopped")

    async def _work(self) -> None:
        if self.faults:
            self.faults -= 1
            raise ZeroDivisionError("a fault of ours")
        self.steps.append("work")


pytestmark = pytest.mark.usefixtures("signals_kept")
Story = Callable[[Sample, Path], Any]


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def play(tmp_path: Path, pages: Pages) -> Callable[..., Sample]:
    """Let a daemon live, and end it when the story is over."""

    def run(story: Story, text: str = "1", faults: int = 0) -> Sample:
        file = tmp_path / "settings"
        file.write_text(text, encoding="utf-8")
        daemon = Sample(file, pages)
        daemon.faults = faults

        async def live() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            living = asyncio.create_task(daemon.live())
            telling = asyncio.create_task(story(daemon, file))
            await asyncio.wait([living, telling], return_when=asyncio.FIRST_COMPLETED)
            if not living.done():
                os.kill(os.getpid(), signal.SIGTERM)
            await living
            await telling

        asyncio.run(asyncio.wait_for(live(), 30))
        return daemon

    return run


def events(pages: Pages, name: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, pages.text.splitlines()) if line["event"] == name]


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def replace(file: Path, text: str) -> None:
    draft = file.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)


def test_a_daemon_goes_through_its_steps_in_order(play: Callable[..., Sample]) -> None:
    async def story(daemon: Sample, _file: Path) -> None:
        await until(lambda: "work" in daemon.steps)

    assert play(story).steps == ["start", "work", "leave", "close", "stopped"]


def test_a_daemon_that_cannot_start_releases_what_it_took(tmp_path: Path, pages: Pages) -> None:
    daemon = Sample(tmp_path / "nothing", pages)
    with pytest.raises(FileNotFoundError):
        asyncio.run(daemon.live())
    assert daemon.steps == ["start", "close"]


def test_what_was_noted_before_an_error_is_in_the_journal(tmp_path: Path, pages: Pages) -> None:
    class Failing(Sample):
        async def start(self) -> None:
            await super().start()
            raise OSError(errno.EADDRINUSE, "the port is taken")

    (tmp_path / "settings").write_text("1", encoding="utf-8")
    daemon = Failing(tmp_path / "settings", pages)
    daemon.journal = BatchedJournal(pages, "postern-sample", "s1")
    with pytest.raises(OSError, match="taken"):
        asyncio.run(daemon.live())
    assert len(events(pages, "SettingsLoaded")) == 1


def test_settings_that_change_are_taken_up(play: Callable[..., Sample], pages: Pages) -> None:
    async def story(daemon: Sample, file: Path) -> None:
        await until(lambda: daemon.steps[-1:] == ["work"])
        replace(file, "2")
        await until(lambda: daemon.settings == 2)

    play(story)
    assert [line["revision"] for line in events(pages, "SettingsLoaded")] == [1, 2]


@pytest.mark.parametrize(
    ("text", "reason"), [("x", "not a number; remedy: write one"), ("\0", "embedded null")]
)
def test_settings_that_cannot_be_used_change_nothing_and_are_named_once(
    play: Callable[..., Sample], pages: Pages, text: str, reason: str
) -> None:
    async def story(daemon: Sample, file: Path) -> None:
        await until(lambda: daemon.steps[-1:] == ["work"])
        replace(file, text)
        await until(lambda: events(pages, "SettingsRefused") or events(pages, "TaskFailed"))
        replace(file, "3")
        await until(lambda: daemon.settings == 3)

    play(story)
    (refused,) = events(pages, "SettingsRefused")
    assert refused["file"].endswith("/settings")
    assert reason in refused["reason"]


def test_a_file_that_is_gone_for_a_moment_changes_nothing(play: Callable[..., Sample], pages: Pages) -> None:
    async def story(daemon: Sample, file: Path) -> None:
        await until(lambda: daemon.steps[-1:] == ["work"])
        file.unlink()
        looks = daemon.looks
        await until(lambda: daemon.looks > looks + 1)
        replace(file, "4")
        await until(lambda: daemon.settings == 4)

    play(story)
    assert events(pages, "SettingsRefused") == []


def test_hangup_takes_settings_up_again_though_they_did_not_change(
    play: Callable[..., Sample], pages: Pages
) -> None:
    async def story(daemon: Sample, _file: Path) -> None:
        await until(lambda: daemon.steps[-1:] == ["work"])
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: len(events(pages, "SettingsLoaded")) == 2)

    play(story)


def test_a_task_that_fails_is_reported_and_starts_again(play: Callable[..., Sample], pages: Pages) -> None:
    async def story(daemon: Sample, _file: Path) -> None:
        await until(lambda: "work" in daemon.steps)

    play(story, faults=2)
    failed = events(pages, "TaskFailed")
    assert [(line["task"], line["reason"]) for line in failed] == [
        ("work", "ZeroDivisionError('a fault of ours')")
    ] * 2
    assert failed[0]["again_in_s"] == Sample.restart_s


def test_the_life_of_a_program_is_written_once() -> None:
    files = (Path(__file__).parents[2] / "services").rglob("*.py")
    own = [file for file in files if "add_signal_handler(" in file.read_text(encoding="utf-8")]
    assert [file.name for file in own] == ["program.py"]
