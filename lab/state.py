"""The record of a lab, so that another command, or the next run after a crash, can continue."""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from lab.processes import Process


class Stage(StrEnum):
    STARTING = "starting"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Record:
    owner: str  # the mark on bridges and processes of this lab
    topology: str
    policy: str
    controller: str
    stage: Stage = Stage.STARTING
    attendant: Process | None = None  # the process that takes the lab down at its end; None: an operator does
    network: Process | None = None
    processes: dict[str, Process] = field(default_factory=dict)  # by part name

    @property
    def is_in_use(self) -> bool:
        """Return whether this lab is up, and either attended or meant to stay."""
        is_up = self.stage is Stage.UP and self.network is not None and self.network.is_alive
        return is_up and (self.attendant is None or self.attendant.is_alive)

    def with_process(self, part: str, process: Process | None) -> "Record":
        """Return the record with a part started, or stopped when `process` is None."""
        kept = {name: known for name, known in self.processes.items() if name != part}
        return replace(self, processes=kept if process is None else {**kept, part: process})


def save(record: Record, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")
    os.replace(draft, file)


def load(file: Path) -> Record | None:
    """Return the last lab's record, or None if there is no valid one.

    Another checkout, of another version, may have written it.
    """
    try:
        return _read(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _read(facts: dict[str, Any]) -> Record:
    network, attendant = facts.pop("network"), facts.pop("attendant")
    processes = {name: Process(**each) for name, each in facts.pop("processes").items()}
    facts["stage"] = Stage(facts["stage"])
    return Record(
        **facts,
        attendant=Process(**attendant) if attendant else None,
        network=Process(**network) if network else None,
        processes=processes,
    )
