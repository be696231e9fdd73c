"""The tenants' own servers for what the policy publishes besides mail: a real nginx, a real OpenSSH."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.policy.model import Protocol
from lab import probes
from lab.component import Component, Scene
from lab.namespaces import entering
from lab.network import Host
from lab.paths import REPOSITORY, LabPaths
from lab.services import templates

_PAGE = REPOSITORY / "deploy" / "servers" / "index.html"
_PAGE_AT_S = 1_700_000_000  # the page's date, so that it looks the same in every lab
_KEYS = ("rsa", "ecdsa", "ed25519")


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    command: Callable[[Path], list[str]]
    prepare: Callable[[Path, Host], None]
    check: Callable[[Path, str, int], str]


def build_parts(scene: Scene) -> list[Component]:
    return [
        _part(scene.places, host, port) for host, port in sorted(_wanted(scene), key=lambda each: each[1])
    ]


def _wanted(scene: Scene) -> set[tuple[Host, int]]:
    """Return the hosts and ports that the policy publishes, where we have a server for them."""
    return {
        (host, port)
        for tenant in scene.policy.tenants
        for service in tenant.services
        for port in service.ports
        for host in scene.network.hosts
        if service.protocol is Protocol.TCP
        and port in _BY_PORT
        and {str(server) for server in service.servers} & set(host.addresses)
    }


def _part(places: LabPaths, host: Host, port: int) -> Component:
    kind = _BY_PORT[port]
    name = f"{host.name}.{kind.name}"
    home, pin = places.home(name), places.pin(host.name)
    return Component(
        name=name,
        host=host.name,
        command=tuple(entering(pin, kind.command(home))),
        log=places.log(name),
        prepare=lambda: kind.prepare(home, host),
        check=lambda: next(filter(None, (kind.check(pin, each, port) for each in host.addresses)), ""),
    )


def _prepare_nginx(home: Path, host: Host) -> None:
    listen = "\n".join(f"        listen {_literal(each)}:80;" for each in host.addresses)
    words = {"HOME": str(home), "LISTEN": listen}
    templates.write(home / "nginx.conf", templates.fill("servers/nginx.conf", words))
    page = home / "root" / "index.html"
    templates.write(page, _PAGE.read_text(encoding="utf-8"))
    os.utime(page, (_PAGE_AT_S, _PAGE_AT_S))
    for above in (home, page.parent):
        above.chmod(0o755)


def _prepare_sshd(home: Path, host: Host) -> None:
    listen = "\n".join(f"ListenAddress {_literal(each)}" for each in host.addresses)
    words = {"HOME": str(home), "LISTEN": listen}
    templates.write(home / "sshd_config", templates.fill("servers/sshd_config", words))
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's chroot directory, sshd(8)
    for kind in _KEYS:
        key = home / f"key_{kind}"
        if not key.exists():
            command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", host.name, "-f", str(key)]
            subprocess.run(command, check=True, capture_output=True, timeout=30)


def _literal(address: str) -> str:
    return f"[{address}]" if ":" in address else address


_BY_PORT = {
    22: _Kind(
        "sshd",
        lambda home: ["/usr/sbin/sshd", "-D", "-e", "-f", str(home / "sshd_config")],
        _prepare_sshd,
        probes.ssh,
    ),
    80: _Kind(
        "nginx", lambda home: ["/usr/sbin/nginx", "-c", str(home / "nginx.conf")], _prepare_nginx, probes.http
    ),
}
