"""One of Postern's programs on a member of a pool, with the pool's settings file and a journal."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.policy.model import Member, Pool
from lab.component import Component
from lab.namespaces import entering
from lab.paths import LabPaths


@dataclass(frozen=True, slots=True)
class Program:
    """`kind` ends the part's name. `check` asks the program on the host of a pin, and returns the problem."""

    kind: str
    module: str
    check: Callable[[Path], str]

    def home(self, places: LabPaths, member: str) -> Path:
        return places.home(f"{member}.{self.kind}")

    def journal(self, places: LabPaths, member: str) -> Path:
        """Return the file of its journal: one JSON object on a line."""
        return self.home(places, member) / "journal.jsonl"

    def part(self, places: LabPaths, pool: Pool, member: Member, *more: str) -> Component:
        name, home = f"{member.name}.{self.kind}", self.home(places, member.name)
        settings, pin = places.gateway_settings(pool.name), places.pin(member.name)
        command = [sys.executable, "-P", "-m", self.module, "--settings", str(settings)]
        command += ["--log", str(self.journal(places, member.name)), "--name", member.name, *more]
        return Component(
            name=name,
            host=member.name,
            command=tuple(entering(pin, command)),
            log=places.log(name),
            prepare=lambda: home.mkdir(parents=True, exist_ok=True),
            is_due=settings.exists,
            check=lambda: self.check(pin),
        )


def deaths_in(journal: Path, event: str, most: int) -> str:
    """Return the reason of the last death in a journal; an empty text up to `most` deaths."""
    try:
        lines = journal.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    found = [line for line in lines if f'"{event}"' in line]
    return _reason(found[-1]) if len(found) > most else ""


def _reason(line: str) -> str:
    try:
        facts = json.loads(line)
    except ValueError:
        return line
    said = filter(None, (str(facts.get("reason", "")), *map(str, facts.get("last", ()))))
    return " ".join(said) or str(facts.get("event", ""))
