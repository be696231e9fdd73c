"""`postern-cowrie`: SSH and Telnet of the decoys as a program of its own."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from common import entry
from common.api import access_or_none, add_api_options
from common.config.errors import ConfigErrors
from common.options import number_option, size_option
from services.base import program
from services.base.daemon import run_daemon
from services.cowrie.process import CowrieMissing, find_installed
from services.cowrie.service import CowrieOptions, CowrieService
from services.decoy.admission import DecoyCaps

_PROGRAM = "postern-cowrie"
_MB = 1024 * 1024
_EPILOG = """\
Cowrie runs in its own Python environment (deploy/setup/cowrie-environment), as the user postern-cowrie, in a
network namespace without interfaces: it can answer connections, but cannot open any.
Settings and personas are read again when they change; files with errors change nothing.
Signals: SIGTERM or Ctrl-C: stop; SIGHUP: reload, reopen the log. Run it as root.

example:
  postern-cowrie --settings /var/lib/postern/gateways/decoys.json --personas /etc/postern/personas \\
      --spool /var/lib/postern/decoy --log /var/log/postern/cowrie.jsonl --name decoy1 \\
      --api unix:/run/postern/api.sock
"""


def build_parser() -> argparse.ArgumentParser:
    description = "Run SSH and Telnet decoys at tenants' addresses, as their personas say, with Cowrie."
    parser = program.build_parser(_PROGRAM, description, _EPILOG)
    program.add_common_arguments(parser, "decoy", "this member's name in the journal")
    add = parser.add_argument
    add("--personas", type=Path, required=True, metavar="DIR", help="directory of personas, DIR/TENANT.yaml")
    add(
        "--spool",
        type=Path,
        required=True,
        metavar="DIR",
        help="directory for recordings, uploads and Cowrie's state",
    )
    add_api_options(parser, "", "no evidence is sent")
    count, any_count, space = number_option(), number_option(0, 1_000), size_option("1MiB", "1024GiB")
    for name, kind, default, what in (
        ("--sessions", count, "500", "maximum concurrent sessions"),
        ("--sessions-per-source", count, "20", "maximum concurrent sessions of one address, or one IPv6 /64"),
        ("--uploads", space, "256MiB", "space for uploads of attackers; beyond it only hashes are kept"),
        ("--recordings", space, "256MiB", "space for recordings; the oldest are removed"),
        ("--ready", any_count, "8", "Cowries kept running in advance; others start at the first connection"),
    ):
        metavar = "SIZE" if kind is space else "N"
        add(name, type=kind, default=default, metavar=metavar, help=f"{what} (default: {default})")
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
    return CowrieOptions(
        settings=parsed.settings,
        personas=parsed.personas,
        spool=parsed.spool.resolve(),
        api=access_or_none(parsed),
        caps=DecoyCaps(sessions=parsed.sessions, sessions_per_source=parsed.sessions_per_source),
        recording_bytes=parsed.recordings,
        recording_bytes_per_session=min(4 * _MB, parsed.recordings // 4),
        upload_bytes=parsed.uploads,
        kept_ready=parsed.ready,
    )


def run() -> int:
    """Run `main` as a program: every error becomes an exit code."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
