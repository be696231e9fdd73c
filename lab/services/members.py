"""A program of ours on a member of a pool: told of the policy by the pool's settings file, with a journal."""

import sys
from dataclasses import dataclass
from pathlib import Path

from controller.policy.model import Member, Pool
from lab import probes
from lab.namespaces import entering
from lab.part import Part
from lab.places import Places


@dataclass(frozen=True, slots=True)
class Program:
    """`kind` ends the part's name; a port with a listener says that it is well."""

    kind: str
    module: str
    port: int

    def home(self, places: Places, member: str) -> Path:
        return places.home(f"{member}.{self.kind}")

    def journal(self, places: Places, member: str) -> Path:
        """Return the file of its journal: one JSON object on a line."""
        return self.home(places, member) / "journal.jsonl"

    def part(self, places: Places, pool: Pool, member: Member, *more: str) -> Part:
        name, home = f"{member.name}.{self.kind}", self.home(places, member.name)
        settings, pin = places.gateway_settings(pool.name), places.pin(member.name)
        command = [sys.executable, "-m", self.module, "--settings", str(settings)]
        command += ["--log", str(self.journal(places, member.name)), "--name", member.name, *more]
        return Part(
            name=name,
            host=member.name,
            command=tuple(entering(pin, command)),
            log=places.log(name),
            prepare=lambda: home.mkdir(parents=True, exist_ok=True),
            is_due=settings.exists,
            check=lambda: probes.listens(pin, self.port),
        )
