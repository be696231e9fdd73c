"""The responders: `postern-responder` on every member of a pool of that kind."""

from pathlib import Path

from controller.policy.model import PoolKind
from lab import probes
from lab.component import Component, Scene
from lab.paths import LabPaths
from lab.services.members import Program

_RESPONDER = Program("responder", "services.responder.main", probes.smtp_dialogue)


def build_parts(scene: Scene) -> list[Component]:
    return [
        _RESPONDER.part(scene.places, pool, member)
        for pool in scene.policy.pools
        if pool.kind is PoolKind.RESPONDER
        for member in pool.members
    ]


def journal(places: LabPaths, member: str) -> Path:
    """Return the file of a responder's journal: one JSON object on a line."""
    return _RESPONDER.journal(places, member)
