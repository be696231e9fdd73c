"""The mail gateways: `postern-mail` on every member of a pool of proxies or scanners."""

from pathlib import Path

from controller.policy.model import Pool, PoolKind
from lab import probes
from lab.component import Component, Scene
from lab.paths import LabPaths
from lab.services.controllers import api_address
from lab.services.members import Program

_GATEWAY = Program("mail", "services.mail.main", probes.smtp_dialogue)
_KINDS = (PoolKind.MAIL_PROXY, PoolKind.SCANNER)


def build_parts(scene: Scene) -> list[Component]:
    return [
        _GATEWAY.part(
            scene.places,
            pool,
            member,
            "--api",
            api_address(scene.places),
            "--state-dir",
            str(_GATEWAY.home(scene.places, member.name) / "state"),
        )
        for pool in scene.policy.pools
        if pool.kind in _KINDS and _takes_mail(scene, pool)
        for member in pool.members
    ]


def _takes_mail(scene: Scene, pool: Pool) -> bool:
    """Return whether mail goes to a pool: a scanner pool that only proxies use needs no gateway."""
    mails = [tenant.mail for tenant in scene.policy.tenants if tenant.mail]
    return any(pool.name == (mail.proxies or mail.scanners) for mail in mails)


def journal(places: LabPaths, member: str) -> Path:
    """Return the file of a gateway's journal: one JSON object on a line."""
    return _GATEWAY.journal(places, member)
