"""`postern-cowrie`: SSH and Telnet of the decoys as a program of its own."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from common import entry
from common.config.errors import ConfigErrors
from services.base import program
from services.base.daemon import run_daemon
from services.cowrie.process import CowrieMissing, find_installed
from services.cowrie.service import CowrieOptions, CowrieService
from services.decoy.admission import DecoyCaps

_PROGRAM = "postern-cowrie"
_MB = 1024 * 1024
_EPILOG = """\
Cowrie runs in an environment of its own (deploy/setup/cowrie-environment), as the user postern-cowrie, in a
network without interfaces: it answers what is handed over to it, and can call nobody.
Settings and personas are taken up again when they change; bad ones change nothing.
Signals: SIGTERM or Ctrl-C: end; SIGHUP: reload, reopen the log. Run it as root.

example:
  postern-cowrie --settings /var/lib/postern/gateways/decoys.json --personas /etc/postern/personas \\
      --spool /var/lib/postern/decoy --log /var/log/postern/cowrie.jsonl --name decoy1 \\
      --controller /run/postern/api.sock
"""


def build_parser() -> argparse.ArgumentParser:
    description = "Answer SSH and Telnet at tenants' addresses as their personas say, by Cowrie."
    parser = program.build_parser(_PROGRAM, description, _EPILOG)
    program.add_common_arguments(parser, "decoy", "this member's name in the journal")
    add = parser.add_argument
    add("--personas", type=Path, required=True, metavar="DIR", help="personas, DIR/TENANT.yaml")
    add("--spool", type=Path, required=True, metavar="DIR", help="for recordings, uploads, Cowrie's state")
    add("--controller", default="", metavar="SOCKET", help="unix socket of the API, for evidence")
    for name, default, what in (
        ("--sessions", 500, "most sessions at once"),
        ("--sessions-per-source", 20, "most sessions of one address, or one IPv6 /64, at once"),
        ("--uploads-mb", 256, "most that is kept of what attackers hand over; past it only hashes"),
        ("--recordings-mb", 256, "most that recordings hold; the oldest make room"),
        ("--ready", 8, "Cowries that wait running; others start for their first attacker"),
    ):
        add(name, type=int, default=default, metavar="N", help=f"{what} ({default})")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    try:
        installed = find_installed()
        options = _options(parsed)
        return run_daemon(_PROGRAM, parsed, lambda journal: CowrieService(options, installed, journal))
    except (CowrieMissing, ConfigErrors) as error:
        return program.fail(_PROGRAM, str(error))


def _options(parsed: argparse.Namespace) -> CowrieOptions:
    recordings = parsed.recordings_mb * _MB
    return CowrieOptions(
        settings=parsed.settings,
        personas=parsed.personas,
        spool=parsed.spool.resolve(),
        controller=parsed.controller.removeprefix("unix:"),
        caps=DecoyCaps(sessions=parsed.sessions, sessions_per_source=parsed.sessions_per_source),
        recording_bytes=recordings,
        recording_bytes_per_session=min(4 * _MB, recordings // 4),
        upload_bytes=parsed.uploads_mb * _MB,
        kept_ready=parsed.ready,
    )


def run() -> int:
    """Be the program: `main`, whatever happens."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
