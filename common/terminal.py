"""Colour and progress on a terminal, without control sequences in files and pipes."""

import os
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from common.reports import one_line

_CODES = {"good": "32", "bad": "31", "dim": "2", "strong": "1"}
_FIRST_AFTER_S = 2.0  # what takes less needs no progress in a log
_EVERY_S = 5.0
_TICK_S = 1.0
_CLEAR = "\r\033[K"  # ECMA-48: to the first column, erase the line
_LONGEST = 100


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """Return text in a style if `stream` is a terminal and NO_COLOR is not set (no-color.org)."""
    stream = sys.stdout if stream is None else stream
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{_CODES[style]}m{text}\033[0m"


class Progress:
    """Shows what a long command is doing: `with Progress() as progress: progress.show(...)`.

    `text` is shown after two seconds if nothing else was until then.

    On a terminal it is one line of standard error, updated in place with the seconds since its text changed,
    and removed at the end. Elsewhere it is a line every few seconds, the first after two, or nothing at all
    if `is_silent`.
    """

    def __init__(
        self,
        is_silent: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        text: str = "",
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock, self._is_terminal = clock, self._stream.isatty()
        self._is_off = is_silent and not self._is_terminal
        self._text, self._since, self._due = text, clock(), clock() + _FIRST_AFTER_S
        self._is_visible = False  # on a terminal
        self._lock, self._is_over = threading.Lock(), threading.Event()
        self._ticker = threading.Thread(target=self._tick_until_over, daemon=True)

    def __enter__(self) -> Self:
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._ticker.join()
        self.hide()

    def hide(self) -> None:
        """Show nothing until the next `show`: another program is going to write to the terminal."""
        with self._lock:
            self._write(_CLEAR if self._is_visible else "")
            self._text, self._is_visible = "", False

    def show(self, text: str) -> None:
        """Show what is being done now."""
        with self._lock:
            self._text, self._since = one_line(text)[:_LONGEST], self._clock()
            self._print()

    def tick(self) -> None:
        """Show that time passes. A thread calls this each second."""
        with self._lock:
            if self._text and (self._is_visible or self._clock() >= self._due):
                self._print()

    def _print(self) -> None:
        now = self._clock()
        seconds = int(now - self._since)
        line = f"{self._text} ({seconds} s)" if seconds else self._text
        if self._is_terminal:
            self._is_visible = True
            self._write(f"{_CLEAR}{line}")
        elif now >= self._due:
            self._due = now + _EVERY_S
            self._write(f"{line}\n")

    def _write(self, text: str) -> None:
        if text and not self._is_off:
            self._stream.write(text)
            self._stream.flush()

    def _tick_until_over(self) -> None:
        while not self._is_over.wait(_TICK_S):
            self.tick()
