"""The decoys: `postern-decoy`, and Cowrie for SSH and Telnet, on every member of a pool of that kind."""

from pathlib import Path

from controller.policy.model import PoolKind
from lab.part import Part, Scene
from lab.places import REPOSITORY, Places
from lab.services.members import Program

PERSONAS = REPOSITORY / "policies" / "personas"
_PROGRAMS = {
    "decoy": Program("decoy", "services.decoy.main", 80),
    "cowrie": Program("cowrie", "services.decoy.cowrie.main", 22),
}


KINDS = tuple(_PROGRAMS)


def build_parts(scene: Scene) -> list[Part]:
    places = scene.places
    return [
        program.part(
            places,
            pool,
            member,
            *("--personas", str(PERSONAS), "--spool", str(spool(places, member.name, kind))),
            *("--controller", str(places.api)),
        )
        for pool in scene.policy.pools
        if pool.kind is PoolKind.DECOY
        for member in pool.members
        for kind, program in _PROGRAMS.items()
    ]


def journal(places: Places, member: str, kind: str) -> Path:
    """Return the file of a decoy's journal: one JSON object on a line."""
    return _PROGRAMS[kind].journal(places, member)


def spool(places: Places, member: str, kind: str) -> Path:
    """Return where a decoy keeps what it caught."""
    return _PROGRAMS[kind].home(places, member) / "spool"


def homes(places: Places) -> list[Path]:
    """Return the directories of all decoys' programs, each with `journal.jsonl` and `spool`."""
    journals = (places.root.glob(f"home/*.{kind}/journal.jsonl") for kind in _PROGRAMS)
    return sorted(file.parent for found in journals for file in found)
