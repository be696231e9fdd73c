"""The decoys' journal: one JSON line an event. Attackers' text is escaped, cut; a full disk stops nothing."""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LONGEST_TEXT = 2_000
_MOST_ITEMS = 100


class DecoyJournal:
    """Lines that cannot be written are counted, and told of when there is room again."""

    def __init__(self, path: Path | None, decoy: str) -> None:
        self._path = path
        self._decoy = decoy
        self._is_torn = False
        self.lost = 0
        self._file = self._open()

    def note(self, event: str, facts: Mapping[str, Any]) -> None:
        if self.lost and self._write("LinesLost", {"count": self.lost}):
            self.lost = 0
        if not self._write(event, facts):
            self.lost += 1

    def reopen(self) -> None:
        """Open the file again by its name, after a log rotation. Raise `OSError`."""
        if self._path is not None:
            before, self._file = self._file, self._open()
            os.close(before)

    def _write(self, event: str, facts: Mapping[str, Any]) -> bool:
        said = {name: _bounded(fact) for name, fact in facts.items()}
        line = {"at": _now(), "event": event, "decoy": self._decoy, **said}
        data = json.dumps(line, default=str).encode("ascii") + b"\n"
        if self._is_torn:
            data = b"\n" + data
        try:
            written = os.write(self._file, data)
        except OSError:
            return False
        self._is_torn = written < len(data)
        return not self._is_torn

    def _open(self) -> int:
        if self._path is None:
            return sys.stdout.fileno()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)


def _now() -> str:
    second, microsecond = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{microsecond:06d}Z"


def _bounded(fact: Any) -> Any:
    if isinstance(fact, str):
        return fact if len(fact) <= _LONGEST_TEXT else fact[:_LONGEST_TEXT] + "..."
    if isinstance(fact, list | tuple):
        return [_bounded(each) for each in fact[:_MOST_ITEMS]]
    return fact
