"""What a program has written in its journal so far."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from common.journal.events import JournalEvent


class Pages:
    """A journal's file in memory."""

    def __init__(self) -> None:
        self.text = ""

    def put(self, data: bytes) -> int:
        self.text += data.decode()
        return len(data)

    def reopen(self) -> None:
        return


def read_journal(log: Path, event: str = "", *, is_mixed: bool = False, **facts: Any) -> list[dict[str, Any]]:
    """Return the events of a name, or all, that have these facts. There are none before there is a file.

    A line that is still being written is left out. So are lines that are no events where a log is mixed: a
    controller's has lines of Ryu's too, and a full disk tears a line. Raise `ValueError` for one elsewhere,
    `AssertionError` where the program itself found that a line does not fit the catalogue of events.
    """
    whole, _, _ = log.read_bytes().rpartition(b"\n") if log.exists() else (b"", b"", b"")
    return [
        found
        for found in _events(whole.splitlines(), is_mixed)
        if event in ("", found["event"]) and facts.items() <= found.items()
    ]


def _events(lines: Iterable[bytes], is_mixed: bool) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            if not is_mixed:
                raise
            continue
        if not is_mixed or isinstance(found, dict):
            assert found.get("event") != JournalEvent.JOURNAL_WRONG.kind.name, found["reason"]
            yield found
