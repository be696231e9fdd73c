"""One JSON line for each event. What an attacker wrote stays data: escaped, cut, never raw."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping, Set
from enum import StrEnum
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any

_LONGEST_TEXT = 500
_MOST_ITEMS = 100


# Lines wait so long for others to be written with: a write for each would cost a tenth of the gateway.
_PATIENCE_S = 0.01
_MOST_WAITING = 200


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + "..."
    return value[:_MOST_ITEMS]


def _encode(facts: Mapping[str, object]) -> str:
    """Return the inside of a JSON object, in ASCII."""
    return ", ".join([f'"{name}": {_encode_value(fact)}' for name, fact in facts.items()])


def _encode_value(value: Any) -> str:
    """What json.dumps() does, many times faster for what most values are."""
    kind = type(value)
    if kind is str:
        return encode_basestring_ascii(_bounded(value))
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is float:
        return repr(value)
    if kind in (list, tuple):
        return f"[{', '.join(map(_encode_value, _bounded(value)))}]"
    return json.dumps(value)


class About:
    """Facts that many events of one session share, encoded once."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Journal:
    """Appends to a file, or to standard output. A disk that refuses never stops mail: `lost` counts,
    and is told in the journal itself as soon as there is room again."""

    time_key, name_key = "time", "gateway"

    def __init__(self, path: Path | None, name: str, urgent: Set[StrEnum] = frozenset()) -> None:
        """Events that are `urgent` are written at once, with all that wait."""
        self._path, self._urgent = path, urgent
        self._file = self._open()
        self._name = _encode({self.name_key: name})
        self._waiting: list[str] = []
        self._flush_at: asyncio.TimerHandle | None = None
        self._second = (0, "")
        self._is_torn = False  # the file ends in the middle of a line
        self.lost = 0

    def about(self, **facts: object) -> About:
        return About(", " + _encode(facts))

    def write(self, event: StrEnum, about: About | None = None, **facts: object) -> None:
        self.note(event, facts, about)

    def note(self, event: StrEnum, facts: Mapping[str, object], about: About | None = None) -> None:
        self._waiting.append(self._line(event, about.text if about else "", facts))
        if event in self._urgent or len(self._waiting) >= _MOST_WAITING:
            self.flush()
        elif self._flush_at is None:
            self._flush_soon()

    def flush(self) -> None:
        """Write what waits."""
        if self._flush_at is not None:
            self._flush_at.cancel()
            self._flush_at = None
        lines, self._waiting = self._waiting, []
        if self.lost and lines:
            lines.insert(0, self._line("LinesLost", "", {"count": self.lost}))
        self._put(lines)

    def _put(self, lines: list[str]) -> None:
        """Write lines; those that the disk did not take whole are lost, and counted."""
        if not lines:
            return
        data, mend = "".join(lines).encode(), b"\n" if self._is_torn else b""
        try:
            written = os.write(self._file, mend + data) - len(mend)
        except OSError:
            written = -1
        whole = data[: max(0, written)].count(b"\n")
        if written >= 0:
            self._is_torn = not data[:written].endswith(b"\n") and written > 0
        is_told = bool(self.lost)  # by the first of these lines
        if is_told and whole:
            self.lost, whole = 0, whole - 1
        self.lost += len(lines) - is_told - whole

    def _line(self, event: str, common: str, facts: Mapping[str, object]) -> str:
        own = f", {_encode(facts)}" if facts else ""
        return f'{{"{self.time_key}": "{self._time()}", "event": "{event}", {self._name}{common}{own}}}\n'

    def reopen(self) -> None:
        """Open the file again by its name, after a log rotation."""
        if self._path is not None:
            self.flush()
            os.close(self._file)
            self._file = self._open()

    def _flush_soon(self) -> None:
        try:
            self._flush_at = asyncio.get_running_loop().call_later(_PATIENCE_S, self.flush)
        except RuntimeError:  # no loop runs, so nothing comes to be written with
            self.flush()

    def _time(self) -> str:
        """Return now, UTC, RFC 3339 with microseconds."""
        second, microsecond = divmod(time.time_ns() // 1000, 1_000_000)
        if second != self._second[0]:
            self._second = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second[1]}.{microsecond:06d}Z"

    def _open(self) -> int:
        if self._path is None:
            return sys.stdout.fileno()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
