"""The mail gateways: `postern-mail` on every member of a pool of proxies or scanners."""

import sys
from pathlib import Path

from controller.policy.model import Member, Pool, PoolKind
from lab import probes
from lab.namespaces import entering
from lab.part import Part, Scene
from lab.places import Places

_SMTP_PORT = 25
_KINDS = (PoolKind.MAIL_PROXY, PoolKind.SCANNER)


def build_parts(scene: Scene) -> list[Part]:
    return [
        _part(scene.places, pool, member)
        for pool in scene.policy.pools
        if pool.kind in _KINDS and _takes_mail(scene, pool)
        for member in pool.members
    ]


def _takes_mail(scene: Scene, pool: Pool) -> bool:
    """Say whether mail comes to a pool: a scanner pool that only proxies ask needs no gateway."""
    mails = [tenant.mail for tenant in scene.policy.tenants if tenant.mail]
    return any(pool.name == (mail.proxies or mail.scanners) for mail in mails)


def journal(places: Places, member: str) -> Path:
    """Return the file of a gateway's journal: one JSON object on a line."""
    return places.home(f"{member}.mail") / "journal.jsonl"


def _part(places: Places, pool: Pool, member: Member) -> Part:
    name = f"{member.name}.mail"
    settings = places.gateway_settings(pool.name)
    pin = places.pin(member.name)
    command = [sys.executable, "-m", "services.mail.main", "--settings", str(settings)]
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
