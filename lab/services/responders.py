"""The responders: `postern-responder` on every member of a pool of that kind."""

import sys
from pathlib import Path

from controller.policy.model import Member, Pool, PoolKind
from lab import probes
from lab.namespaces import entering
from lab.part import Part, Scene
from lab.places import Places

_SMTP_PORT = 25


def build_parts(scene: Scene) -> list[Part]:
    return [
        _part(scene.places, pool, member)
        for pool in scene.policy.pools
        if pool.kind is PoolKind.RESPONDER
        for member in pool.members
    ]


def journal(places: Places, member: str) -> Path:
    """Return the file of a responder's journal: one JSON object on a line."""
    return places.home(f"{member}.responder") / "journal.jsonl"


def _part(places: Places, pool: Pool, member: Member) -> Part:
    name = f"{member.name}.responder"
    settings = places.gateway_settings(pool.name)
    pin = places.pin(member.name)
    command = [sys.executable, "-m", "services.responder.main", "--settings", str(settings)]
    command += ["--log", str(journal(places, member.name)), "--name", member.name]
    return Part(
        name=name,
        host=member.name,
        command=tuple(entering(pin, command)),
        log=places.log(name),
        prepare=lambda: places.home(name).mkdir(parents=True, exist_ok=True),
        is_due=settings.exists,
        check=lambda: probes.listens(pin, _SMTP_PORT),
    )
