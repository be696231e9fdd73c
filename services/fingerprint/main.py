"""`postern-persona`: learn personas from real servers, look at servers as attackers do, compare two looks."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from common import entry
from common.api import add_api_options
from services.base import program
from services.fingerprint.actions import compare_files, learn, look
from services.fingerprint.client import Manners
from services.fingerprint.consent import NoConsent
from services.fingerprint.merge import CannotMerge
from services.fingerprint.scan import Target
from services.fingerprint.scanner import NmapFailed
from services.fingerprint.snapshot import LookError
from services.personas.errors import PersonaErrors
from services.personas.model import Address, Protocol

_PROGRAM = "postern-persona"
_MOST_PORTS = 100
_FAILURES = (NoConsent, PersonaErrors, LookError, CannotMerge, NmapFailed, OSError, UnicodeDecodeError)
_EPILOG = """\
learn reads a tenant's own server once, with a few polite connections for each port. It never logs in,
sends no mail and changes nothing there. The policy must have `consent_to_learning: true` for the tenant.
look writes down everything that somebody outside can see of a server; run it once where the real server
answers, once where the decoy does. compare prints what differs of the two: nothing, or one tell a line.

A port is a number, or a number and a protocol: 25,2525=smtp. Protocols:
  smtp smtps http https pop3 pop3s imap imaps ftp ssh telnet banner

exit code: 0: well, no tell; 1: failed, or there is a tell; 2: mistaken arguments

examples:
  postern-persona learn --api unix:/run/postern/api.sock --tenant acme --host mx \\
      --address 203.0.113.10 --ports 22,25,80,9 --domain acme.example --out personas/acme.yaml
  postern-persona look --address 203.0.113.10 --ports 22,25,80 --out real.json
  postern-persona compare real.json decoy.json
"""


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        _PROGRAM, "Make decoys look like the servers that they stand in for, and find what still tells them.",
        _EPILOG,
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True)
    learner = commands.add_parser("learn", help="read a real server once, write a persona")
    _add_target(learner)
    add = learner.add_argument
    add_api_options(learner)
    add("--tenant", required=True, help="whose server it is")
    add("--host", default="", metavar="NAME",
        help="what the persona calls it (default: as the file does, else `server`)")  # fmt: skip
    looker = commands.add_parser("look", help="write down everything that somebody outside can see")
    _add_target(looker)
    add = looker.add_argument
    add("--closed", type=_ports, default=((1, 81, 8081), {}), metavar="PORTS",
        help="ports that should have no service, looked at too (1,81,8081)")  # fmt: skip
    add("--without-nmap", action="store_true", help="do not run nmap -sV")
    comparer = commands.add_parser("compare", help="print what differs of two looks")
    comparer.add_argument("real", type=Path, help="look at the real server (JSON)")
    comparer.add_argument("decoy", type=Path, help="look at the decoy (JSON)")
    return parser


def _add_target(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--address", type=_addresses, required=True, metavar="ADDRESS[,ADDRESS]",
        help="the server's addresses; the first is talked to")  # fmt: skip
    add("--ports", type=_ports, required=True, metavar="PORT[=PROTOCOL],...", help="which ports")
    add("--out", type=Path, required=True, metavar="FILE", help="what is written (look: - prints it)")
    add("--service", action="append", default=[], type=_protocol, metavar="PROTOCOL",
        help="only services of this protocol; may be repeated")  # fmt: skip
    add("--name", default="", help="the server's name, for HTTP's Host and TLS (default: its address)")
    add("--domain", default="", help="a domain of its mail: asks whether postmaster, a stranger and "
        "somebody elsewhere would be taken; no message is begun")  # fmt: skip
    add("--pause", type=_seconds, default=0.2, metavar="SECONDS", help="between two connections (0.2)")
    add("--patience", type=_seconds, default=10.0, metavar="SECONDS", help="for one answer (10)")


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    try:
        if parsed.command == "compare":
            return compare_files(parsed.real, parsed.decoy)
        manners = Manners(answer_s=parsed.patience, pause_s=parsed.pause)
        if parsed.command == "look":
            target = _target(parsed, *parsed.closed)
            return asyncio.run(
                look(target, manners, parsed.out, parsed.service, has_nmap=not parsed.without_nmap)
            )
        return asyncio.run(learn(_target(parsed), manners, parsed))
    except _FAILURES as error:
        return program.fail(_PROGRAM, str(error))


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
            raise argparse.ArgumentTypeError(f"{each!r:.40} is no port; remedy: write 22,25,2525=smtp")
        ports.append(int(number))
        if protocol:
            protocols[int(number)] = _protocol(protocol)
    if len(ports) > _MOST_PORTS:
        raise argparse.ArgumentTypeError(f"more than {_MOST_PORTS} ports; remedy: name those that matter")
    return tuple(dict.fromkeys(ports)), protocols


def _protocol(text: str) -> Protocol:
    try:
        return Protocol(text)
    except ValueError as error:
        names = ", ".join(Protocol)
        raise argparse.ArgumentTypeError(f"{text!r:.40} is no protocol; remedy: one of {names}") from error


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r:.40} is no number of seconds") from error
    if not 0 <= value <= 120:
        raise argparse.ArgumentTypeError(f"{text} is outside 0..120 seconds")
    return value


def run() -> int:
    """Be the program: `main`, whatever happens."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
