"""Progress and colour: at a real terminal (a pty), and in a pipe."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import pytest

from common.terminal import Progress, paint

_STEPS = """\
from common.terminal import Progress, paint
import sys
with Progress() as progress:
    progress.show("first")
    progress.show("second")
print(paint("fine", "good"))
"""


def at_a_terminal(program: str, **environment: str) -> str:
    """Return everything that a program writes to a terminal of its own."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
    )
    os.close(slave)
    written = b""
    try:
        while chunk := os.read(master, 65_536):
            written += chunk
    except OSError:  # EIO: the terminal's last writer is gone
        pass
    finally:
        os.close(master)
    assert process.wait(60) == 0
    return written.decode()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def colourful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield


def test_on_a_terminal_progress_is_one_line_that_is_gone_at_the_end(colourful: None) -> None:
    assert at_a_terminal(_STEPS) == "\r\033[Kfirst\r\033[Ksecond\r\033[K\033[32mfine\033[0m\r\n"


def test_no_color_is_respected_on_a_terminal() -> None:
    assert at_a_terminal(_STEPS, NO_COLOR="1").endswith("\r\033[Kfine\r\n")


def test_in_a_pipe_there_is_no_colour_and_short_work_shows_no_progress(colourful: None) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STEPS], capture_output=True, encoding="utf-8", timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_in_a_pipe_progress_is_a_line_every_few_seconds(clock: Clock) -> None:
    stream = io.StringIO()
    progress = Progress(stream=stream, clock=clock)
    for seconds in (0, 1, 3, 4, 9):
        clock.now = 100.0 + seconds
        progress.show(f"step {seconds}")
    clock.now = 120.0
    progress.tick()
    assert stream.getvalue().splitlines() == ["step 3", "step 9", "step 9 (11 s)"]


def test_silent_progress_writes_nothing_in_a_pipe_and_is_shown_on_a_terminal(clock: Clock) -> None:
    for stream, written in ((io.StringIO(), ""), (Terminal(), "\r\033[Kstep")):
        progress = Progress(True, stream, clock)
        clock.now += 60
        progress.show("step")
        assert stream.getvalue() == written


def test_on_a_terminal_the_first_text_is_shown_after_two_seconds_and_gone_at_the_end(clock: Clock) -> None:
    stream = Terminal()
    progress = Progress(stream=stream, clock=clock, text="working")
    clock.now += 1.9
    progress.tick()
    assert stream.getvalue() == ""
    clock.now += 0.1
    progress.tick()
    progress.hide()
    assert stream.getvalue() == "\r\033[Kworking (2 s)\r\033[K"


def test_on_a_terminal_a_first_text_that_was_never_shown_is_not_removed(clock: Clock) -> None:
    stream = Terminal()
    Progress(stream=stream, clock=clock, text="working").hide()
    assert stream.getvalue() == ""


def test_in_a_pipe_the_first_text_is_a_line_after_two_seconds(clock: Clock) -> None:
    stream = io.StringIO()
    progress = Progress(stream=stream, clock=clock, text="working")
    for _ in range(3):
        clock.now += 1
        progress.tick()
    assert stream.getvalue() == "working (2 s)\n"


def test_on_a_terminal_the_seconds_of_a_step_are_shown(clock: Clock) -> None:
    stream = Terminal()
    progress = Progress(stream=stream, clock=clock)
    progress.show("loading")
    clock.now += 12
    progress.tick()
    assert stream.getvalue().endswith("\r\033[Kloading (12 s)")


def test_while_another_program_writes_no_seconds_are_counted(clock: Clock) -> None:
    stream = Terminal()
    progress = Progress(stream=stream, clock=clock)
    progress.show("restarting")
    progress.hide()
    progress.tick()
    assert stream.getvalue() == "\r\033[Krestarting\r\033[K"


def test_what_an_attacker_wrote_cannot_move_the_cursor(clock: Clock) -> None:
    stream = Terminal()
    Progress(stream=stream, clock=clock).show("bad \033[2J name\nof two lines")
    assert stream.getvalue() == "\r\033[Kbad \\x1b[2J name of two lines"


def test_only_a_terminal_is_painted(colourful: None) -> None:
    assert paint("x", "bad", Terminal()) == "\033[31mx\033[0m"
    assert paint("x", "bad", io.StringIO()) == "x"
