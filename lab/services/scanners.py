"""The scanners: one real clamd for each member, on the pool's virtual addresses and on its own loopback."""

import shutil
from pathlib import Path

from controller.policy.model import Pool, PoolKind
from lab import ipv6, probes
from lab.component import Component, Scene
from lab.namespaces import entering
from lab.paths import REPOSITORY, LabPaths
from lab.services import templates

_LOOPBACK = "127.0.0.1"
_SIGNATURES = REPOSITORY / "deploy" / "clamav" / "signatures"


def build_parts(scene: Scene) -> list[Component]:
    return [
        _part(scene.places, pool, member.name)
        for pool in scene.policy.pools
        if pool.kind is PoolKind.SCANNER
        for member in pool.members
    ]


def scanner_log(places: LabPaths, member: str) -> Path:
    return places.home(f"{member}.clamd") / "clamd.log"


def signatures(places: LabPaths, member: str) -> Path:
    """Return the directory of a scanner's signatures."""
    return places.home(f"{member}.clamd") / "signatures"


def _part(places: LabPaths, pool: Pool, member: str) -> Component:
    name = f"{member}.clamd"
    home = places.home(name)
    pin = places.pin(member)
    addresses = [_LOOPBACK, *map(str, ipv6.usable(pool.vip))]
    return Component(
        name=name,
        host=member,
        command=tuple(entering(pin, ["clamd", "--foreground", f"--config-file={home / 'clamd.conf'}"])),
        log=scanner_log(places, member),
        prepare=lambda: _prepare(home, addresses, pool.port),
        check=lambda: _first_problem(pin, addresses, pool.port),
    )


def _first_problem(pin: Path, addresses: list[str], port: int) -> str:
    return next(filter(None, (probes.clamd_ping(pin, address, port) for address in addresses)), "")


def _prepare(home: Path, addresses: list[str], port: int) -> None:
    listening = "\n".join(f"TCPAddr {address}" for address in addresses)
    own = home / "signatures"
    # Copy only the content: after `umask 077; git clone` only its owner may read ours, and clamd is not root.
    own.mkdir(parents=True, exist_ok=True)
    for file in _SIGNATURES.iterdir():
        shutil.copyfile(file, own / file.name)
    words = {"HOME": str(home), "LISTEN": listening, "PORT": str(port), "SIGNATURES": str(own)}
    templates.write(home / "clamd.conf", templates.fill("clamav/clamd.conf", words))
