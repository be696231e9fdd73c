"""`postern-persona`: learns personas from real servers, records what attackers see, compares two looks."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from common import entry
from common.api import add_api_options
from common.commands import (
    CommandError,
    Result,
    Run,
    Subparsers,
    add_command,
    build_command_parser,
    execute,
)
from common.config.errors import ConfigErrors
from common.options import duration_option
from common.terminal import Progress
from services.fingerprint.actions import compare_files, learn, look
from services.fingerprint.client import Manners
from services.fingerprint.consent import NoConsent
from services.fingerprint.merge import CannotMerge
from services.fingerprint.scan import Target
from services.fingerprint.scanner import NmapFailed
from services.fingerprint.snapshot import SnapshotError
from services.personas.model import Address, Protocol

_PROGRAM = "postern-persona"
_MOST_PORTS = 100
_FAILURES = (NoConsent, ConfigErrors, SnapshotError, CannotMerge, NmapFailed, OSError, UnicodeDecodeError)
_EPILOG = """\
learn reads a tenant's own server once, with a few polite connections for each port. It never logs in,
sends no mail and changes nothing there. The policy must have `consent_to_learning: true` for the tenant.
look records everything that a server shows to the outside; run it once where the real server
answers, and once where the decoy answers. compare prints the differences between the two, one per line.
Connections go to the first address of --address. --service may be repeated.

A port is a number, or a number and a protocol: 25,2525=smtp. Protocols:
  smtp smtps http https pop3 pop3s imap imaps ftp ssh telnet banner

examples:
  postern-persona learn --api unix:/run/postern/api.sock --tenant acme --host mx \\
      --address 203.0.113.10 --ports 22,25,80,9 --domain acme.example --out personas/acme.yaml
  postern-persona look --address 203.0.113.10 --ports 22,25,80 --out real.json
  postern-persona compare real.json decoy.json

The exit code is 1 if compare finds a difference.
"""


def build_parser() -> argparse.ArgumentParser:
    description = (
        "Make decoys look like the servers that they stand in for, and find the remaining differences."
    )
    parser = build_command_parser(_PROGRAM, description, _EPILOG)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_learn(commands)
    _add_look(commands)
    comparer = add_command(
        commands,
        "compare",
        "print the differences between two records made by look",
        _guarded(lambda parsed, _: compare_files(parsed.real, parsed.decoy)),
        "example:\n  postern-persona compare real.json decoy.json",
    )
    comparer.add_argument("real", type=Path, metavar="REAL", help="record of the real server (JSON)")
    comparer.add_argument("decoy", type=Path, metavar="DECOY", help="record of the decoy (JSON)")
    return parser


def _add_learn(commands: Subparsers) -> None:
    learner = add_command(
        commands,
        "learn",
        "read a real server once, and write a persona",
        _guarded(_learn),
        "example:\n  postern-persona learn --tenant acme --address 203.0.113.10 --ports 25 --out acme.yaml",
    )
    _add_target(learner)
    add_api_options(learner)
    add = learner.add_argument
    add("--tenant", required=True, help="the tenant that owns the server; the policy must have its consent")
    add_persona_options(learner)


def _add_look(commands: Subparsers) -> None:
    looker = add_command(
        commands,
        "look",
        "record everything that is visible from outside",
        _guarded(_look),
        "example:\n  postern-persona look --address 203.0.113.10 --ports 22,25,80 --out real.json",
    )
    _add_target(looker)
    looker.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write; - prints it")
    looker.add_argument("--closed", type=_ports, default=((1, 81, 8081), {}), metavar="PORTS",
        help="ports without a service, also examined (default: 1,81,8081)")  # fmt: skip
    add_nmap_option(looker)


def _add_target(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_address_option(parser)
    add("--ports", type=_ports, required=True, metavar="PORT[=PROTOCOL],...", help="ports to examine")
    add_services(parser, "--service", action="append", default=[], metavar="PROTOCOL")
    add("--name", default="", help="the server's name, for HTTP's Host and TLS (default: its address)")
    add("--patience", type=duration_option("0s", "2m"), default="10s", metavar="DURATION",
        help="limit for one answer (default: 10s)")  # fmt: skip
    add_manners(parser)


def add_address_option(parser: argparse.ArgumentParser, default: str = "") -> None:
    """Add `--address`. `default` says which servers are meant without it; empty: it is required."""
    parser.add_argument(
        "--address",
        type=_addresses,
        action="extend",
        default=[],
        required=not default,
        metavar="ADDRESS[,ADDRESS]",
        help=f"the server's addresses{_default(default)}",
    )


def add_persona_options(parser: argparse.ArgumentParser, default: str = "") -> None:
    """Add `--out` and `--host`. `default`: where a persona goes without `--out`; empty: it is required."""
    add = parser.add_argument
    add("--out", type=Path, required=not default, metavar="FILE", help=f"persona to write{_default(default)}")
    add("--host", default="", metavar="NAME",
        help="name of the server in the persona (default: unchanged, otherwise `server`)")  # fmt: skip


def add_services(parser: argparse.ArgumentParser, name: str, **how: Any) -> None:
    """Add the choice of services under a name, as an option or as arguments; `how` is for `add_argument`."""
    parser.add_argument(name, type=_protocol, help="only these services: smtp, ssh, http, ...", **how)


def _default(text: str) -> str:
    return f" (default: {text})" if text else ""


def add_manners(parser: argparse.ArgumentParser) -> None:
    """Add the options for connections to a server; `postern persona` passes them on."""
    add = parser.add_argument
    add("--domain", default="", help="a mail domain of the server: asks whether it would accept mail for "
        "postmaster, an unknown user and another domain; no message is sent")  # fmt: skip
    add(
        "--pause",
        type=duration_option("0s", "2m"),
        default="200ms",
        metavar="DURATION",
        help="pause between two connections (default: 200ms)",
    )


def add_nmap_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--without-nmap", action="store_true", help="do not run nmap -sV")


def main(arguments: Sequence[str] | None = None) -> int:
    return execute(build_parser(), arguments)


def _guarded(run: Callable[[argparse.Namespace, Progress], Result]) -> Run:
    """Give a command its progress, and turn expected failures into a `CommandError`."""

    def guarded(parsed: argparse.Namespace) -> Result:
        try:
            return run(parsed, parsed.progress)
        except _FAILURES as error:
            raise CommandError([f"{_PROGRAM}: {error}"]) from error

    return guarded


def _learn(parsed: argparse.Namespace, progress: Progress) -> Result:
    return asyncio.run(learn(_target(parsed), _manners(parsed), parsed, progress.show))


def _look(parsed: argparse.Namespace, progress: Progress) -> Result:
    target = _target(parsed, *parsed.closed)
    progress.show(f"looking at {target.address}, {len(target.ports)} ports")
    looking = look(target, _manners(parsed), parsed.out, parsed.service, has_nmap=not parsed.without_nmap)
    return asyncio.run(looking)


def _manners(parsed: argparse.Namespace) -> Manners:
    return Manners(answer_s=parsed.patience, pause_s=parsed.pause)


def _target(
    parsed: argparse.Namespace, more: tuple[int, ...] = (), _protocols: dict[int, Protocol] | None = None
) -> Target:
    ports, protocols = parsed.ports
    together = tuple(dict.fromkeys((*ports, *more)))
    return Target(parsed.address[0], together, protocols, parsed.name, parsed.domain)


def _addresses(text: str) -> tuple[Address, ...]:
    try:
        found = tuple(ip_address(each.strip()) for each in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; remedy: write 203.0.113.10,2001:db8::10") from error
    return found


def _ports(text: str) -> tuple[tuple[int, ...], dict[int, Protocol]]:
    protocols: dict[int, Protocol] = {}
    ports = []
    for each in text.split(","):
        number, _, protocol = each.strip().partition("=")
        if not number.isascii() or not number.isdigit() or not 1 <= int(number[:6]) <= 65_535:
            raise argparse.ArgumentTypeError(
                f"{each!r:.40} is not a valid port; remedy: write 22,25,2525=smtp"
            )
        ports.append(int(number))
        if protocol:
            protocols[int(number)] = _protocol(protocol)
    if len(ports) > _MOST_PORTS:
        raise argparse.ArgumentTypeError(f"more than {_MOST_PORTS} ports; remedy: give fewer ports")
    return tuple(dict.fromkeys(ports)), protocols


def _protocol(text: str) -> Protocol:
    try:
        return Protocol(text)
    except ValueError as error:
        names = ", ".join(Protocol)
        raise argparse.ArgumentTypeError(f"{text!r:.40} is not a protocol; remedy: one of {names}") from error


def run() -> int:
    """Run `main` as a program: every error becomes an exit code."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
