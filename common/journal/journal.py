"""Writes the lines of a program's journal. A disk error never blocks the program.

Each line is written at once; the journal of `services.base.journal` writes several together.
"""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from common.journal import check
from common.journal.events import Event, JournalEvent, Severity
from common.journal.line import About, encode
from common.journal.sink import Sink

Ship = Callable[[Severity, str], None]
_Entry = tuple[Event, str]


class Report(Protocol):
    """What code needs to write events; `Journal.write` fits."""

    def __call__(self, event: Event, /, **facts: object) -> None: ...


class Journal:
    """`program` and `instance` are in each line: the command, and the name that its operator gave it.

    `lost` counts lines that could not be written; `LinesLost` reports them as soon as writing works again.
    `ship` gets each line as well, without its newline.
    """

    def __init__(self, sink: Sink, program: str, instance: str, ship: Ship | None = None) -> None:
        self._sink, self._ship = sink, ship
        self._origin = ", " + encode({"program": program, "instance": instance})
        self._waiting: list[_Entry] = []
        self._second = (0, "")
        self._is_torn = False  # the file ends in the middle of a line
        self._is_checked = check.is_wanted()
        self.lost = 0

    def about(self, **facts: object) -> About:
        return About(facts, keep=self._is_checked)

    def write(self, event: Event, about: About | None = None, /, **facts: object) -> None:
        """Write an event with its facts. Raise `JournalError` only in tests that check lines."""
        self.note(event, facts, about)

    def note(self, event: Event, facts: Mapping[str, object], about: About | None = None) -> None:
        """Do the same with facts that are already in a mapping."""
        own = f", {encode(facts)}" if facts else ""
        self._waiting.append((event, self._line(event, about.text + own if about else own)))
        if self._is_checked:
            self._check(event, {**(about.facts if about else {}), **facts})
        self._on_waiting(event)

    def flush(self) -> None:
        """Write pending lines."""
        entries, self._waiting = self._waiting, []
        if self.lost and entries:
            lost = JournalEvent.LINES_LOST
            entries.insert(0, (lost, self._line(lost, f", {encode({'count': self.lost})}")))
        if entries:
            self._put([line for _, line in entries])
        if self._ship is not None:
            for event, line in entries:
                self._ship(event.kind.severity, line.rstrip("\n"))

    def reopen(self) -> None:
        """Reopen the file by its name, after a log rotation. Raise `OSError`."""
        self.flush()
        self._sink.reopen()

    def _on_waiting(self, _event: Event) -> None:
        self.flush()

    def _check(self, event: Event, facts: Mapping[str, object]) -> None:
        if problem := check.problem_of(event, facts):
            wrong = JournalEvent.JOURNAL_WRONG
            self._waiting.append((wrong, self._line(wrong, f", {encode({'reason': problem})}")))
            self.flush()
            raise check.JournalError(problem)

    def _put(self, lines: list[str]) -> None:
        """Write lines; those that were not written as a whole are lost, and counted."""
        data, mend = "".join(lines).encode(), b"\n" if self._is_torn else b""
        try:
            written = self._sink.put(mend + data) - len(mend)
        except OSError:
            written = -1
        whole = data[: max(0, written)].count(b"\n")
        if written >= 0:
            self._is_torn = not data[:written].endswith(b"\n") and written > 0
        is_reported = bool(self.lost)  # by the first of these lines
        if is_reported and whole:
            self.lost, whole = 0, whole - 1
        self.lost += len(lines) - is_reported - whole

    def _line(self, event: Event, facts: str) -> str:
        return f'{{"time": "{self._time()}", {event.head}{self._origin}{facts}}}\n'

    def _time(self) -> str:
        """Return the present time, UTC, RFC 3339 with microseconds."""
        second, microsecond = divmod(time.time_ns() // 1000, 1_000_000)
        if second != self._second[0]:
            self._second = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second[1]}.{microsecond:06d}Z"
