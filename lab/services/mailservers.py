"""The tenants' own mail servers: one real Postfix instance for each, in its host's namespace."""

import pwd
import shutil
import subprocess
from pathlib import Path

from lab import probes
from lab.component import Component, Scene
from lab.namespaces import entering
from lab.network import Host
from lab.paths import LabPaths
from lab.services import templates

_DAYS_VALID = 30


def build_parts(scene: Scene) -> list[Component]:
    return [_part(scene.places, host) for host in scene.network.hosts_with("mail-server")]


def mail_log(places: LabPaths, host: str) -> Path:
    """Return the file that a mail server's own log lines go to."""
    return places.home(f"{host}.postfix") / "mail.log"


def _part(places: LabPaths, host: Host) -> Component:
    name = f"{host.name}.postfix"
    home = places.home(name)
    pin = places.pin(host.name)
    return Component(
        name=name,
        host=host.name,
        command=tuple(entering(pin, ["postfix", "-c", str(home / "etc"), "start-fg"])),
        log=mail_log(places, host.name),
        prepare=lambda: _prepare(home, host.domain),
        check=lambda: _first_problem(pin, host.addresses),
        find_crashes=lambda: _throttled(mail_log(places, host.name)),
    )


def _first_problem(pin: Path, addresses: tuple[str, ...]) -> str:
    return next(filter(None, (probes.smtp_banner(pin, address) for address in addresses)), "")


def _throttled(log: Path) -> str:
    """Return master(8)'s line about a program that dies at each start, and is therefore throttled."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if "-- throttling" in line), "")


def _prepare(home: Path, domain: str) -> None:
    mail = pwd.getpwnam("mail")
    words = {"HOME": str(home), "DOMAIN": domain, "MAIL_UID": str(mail.pw_uid), "MAIL_GID": str(mail.pw_gid)}
    for file in ("main.cf", "master.cf"):
        templates.write(home / "etc" / file, templates.fill(f"postfix/{file}", words))
    for directory, owner in (("queue", "root"), ("data", "postfix"), ("mail", "mail")):
        (home / directory).mkdir(exist_ok=True)
        shutil.chown(home / directory, owner)
    (home / "queue" / "pid" / "master.pid").unlink(missing_ok=True)
    if not (home / "tls.pem").exists():
        _make_certificate(home, f"mx.{domain}")


def _make_certificate(home: Path, name: str) -> None:
    """Make a self-signed certificate: enough for opportunistic TLS (RFC 7435) only."""
    chain = home / "tls.pem"
    chain.touch(mode=0o600)
    certificate = home / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-days", str(_DAYS_VALID), "-subj", f"/CN={name}"]
    command += ["-keyout", str(chain), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    chain.write_text(
        chain.read_text(encoding="utf-8") + certificate.read_text(encoding="utf-8"), encoding="utf-8"
    )
