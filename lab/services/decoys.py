"""The decoys: `postern-decoy`, and Cowrie for SSH and Telnet, on every member of a pool of that kind."""

import sys
from pathlib import Path

from controller.policy.model import Member, Pool, PoolKind
from lab import probes
from lab.namespaces import entering
from lab.part import Part, Scene
from lab.places import REPOSITORY, Places

PERSONAS = REPOSITORY / "policies" / "personas"
_PROGRAMS = {"decoy": "services.decoy.main", "cowrie": "services.decoy.cowrie.main"}


def build_parts(scene: Scene) -> list[Part]:
    return [
        _part(scene.places, pool, member, kind)
        for pool in scene.policy.pools
        if pool.kind is PoolKind.DECOY
        for member in pool.members
        for kind in _PROGRAMS
    ]


def journal(places: Places, member: str, kind: str) -> Path:
    """Return the file of a decoy's journal: one JSON object on a line."""
    return places.home(f"{member}.{kind}") / "journal.jsonl"


def spool(places: Places, member: str, kind: str) -> Path:
    """Return where a decoy keeps what it caught."""
    return places.home(f"{member}.{kind}") / "spool"


def _part(places: Places, pool: Pool, member: Member, kind: str) -> Part:
    name = f"{member.name}.{kind}"
    settings = places.gateway_settings(pool.name)
    pin = places.pin(member.name)
    command = [sys.executable, "-m", _PROGRAMS[kind], "--settings", str(settings)]
    command += ["--personas", str(PERSONAS), "--spool", str(spool(places, member.name, kind))]
    command += ["--log", str(journal(places, member.name, kind)), "--name", member.name]
    command += ["--controller", str(places.api)]
    return Part(
        name=name,
        host=member.name,
        command=tuple(entering(pin, command)),
        log=places.log(name),
        prepare=lambda: spool(places, member.name, kind).mkdir(parents=True, exist_ok=True),
        is_due=settings.exists,
        check=lambda: probes.listens(pin, _FIRST_PORT[kind]),
    )


_FIRST_PORT = {"decoy": 80, "cowrie": 22}


def homes(places: Places) -> list[Path]:
    """Return the directories of all decoys' programs, each with `journal.jsonl` and `spool`."""
    return sorted(
        file.parent for kind in _PROGRAMS for file in places.root.glob(f"home/*.{kind}/journal.jsonl")
    )
