"""The decoys: `postern-decoy`, and Cowrie for SSH and Telnet, on every member of a pool of that kind."""

from dataclasses import replace
from pathlib import Path

from controller.policy.model import Member, Pool, PoolKind
from lab import distribution
from lab.component import Component, Scene
from lab.paths import REPOSITORY, LabPaths
from lab.services.controllers import api_address
from lab.services.listening_ports import doors
from lab.services.members import Program, deaths_in

_ALL_PERSONAS = REPOSITORY / "policies" / "personas"
_MODULES = {"decoy": "services.decoy.main", "cowrie": "services.cowrie.main"}
_OF_COWRIE = ("ssh", "telnet")
_MOST_DEATHS = 2  # of Cowries, after which the lab stops waiting for them

KINDS = tuple(_MODULES)


def personas() -> Path:
    """Return the personas that look like the servers of the Debian release we run on."""
    return distribution.fitting(_ALL_PERSONAS)


def build_parts(scene: Scene) -> list[Component]:
    return [
        _part(scene, pool, member, kind)
        for pool in scene.policy.pools
        if pool.kind is PoolKind.DECOY
        for member in pool.members
        for kind in KINDS
    ]


def _part(scene: Scene, pool: Pool, member: Member, kind: str) -> Component:
    places, looks = scene.places, personas()
    behind = [
        door for door in doors(scene.policy, looks) if (door.protocol in _OF_COWRIE) == (kind == "cowrie")
    ]
    program = Program(
        kind, _MODULES[kind], lambda pin: next(filter(None, (door.check(pin) for door in behind)), "")
    )
    part = program.part(
        places,
        pool,
        member,
        *("--personas", str(looks), "--spool", str(spool(places, member.name, kind))),
        *("--api", api_address(places)),
    )
    file = journal(places, member.name, kind)
    return replace(part, find_crashes=lambda: deaths_in(file, "CowrieDied", _MOST_DEATHS))


def _home(places: LabPaths, member: str, kind: str) -> Path:
    return places.home(f"{member}.{kind}")


def journal(places: LabPaths, member: str, kind: str) -> Path:
    """Return the file of a decoy's journal: one JSON object on a line."""
    return _home(places, member, kind) / "journal.jsonl"


def spool(places: LabPaths, member: str, kind: str) -> Path:
    """Return the directory where a decoy keeps its captures."""
    return _home(places, member, kind) / "spool"


def homes(places: LabPaths) -> list[Path]:
    """Return the directories of all decoys' programs, each with `journal.jsonl` and `spool`."""
    journals = (places.root.glob(f"home/*.{kind}/journal.jsonl") for kind in KINDS)
    return sorted(file.parent for found in journals for file in found)
