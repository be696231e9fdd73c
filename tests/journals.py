"""What a program has written in its journal so far."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def read_journal(log: Path, event: str = "", **facts: Any) -> list[dict[str, Any]]:
    """Return the events of a name, or all, that have these facts.

    A line that is still being written is left out, and so is one that is not JSON: a controller's log has
    lines of Ryu's too, and a full disk tears a line.
    """
    whole, _, _ = log.read_bytes().rpartition(b"\n") if log.exists() else (b"", b"", b"")
    return [
        found
        for found in _events(whole.splitlines())
        if event in ("", found.get("event")) and facts.items() <= found.items()
    ]


def _events(lines: Iterable[bytes]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found
