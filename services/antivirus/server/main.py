"""`postern-antivirus`: the anti-virus server as a program."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from common import entry
from common.api import access_or_none, add_api_options
from common.journal.journal import Journal
from services.antivirus.server.daemon import AntivirusServer, ServerOptions
from services.antivirus.server.nginx import NginxFailed
from services.antivirus.server.replica import Replica
from services.base import program
from services.base.daemon import run_daemon

_PROGRAM = "postern-antivirus"
_EPILOG = """\
The server copies what the builder (`postern av`) publishes, verifies every signature and hash, and serves it
through nginx. Each tenant gets the generation of its ring. The controller writes the settings file
(STATE_DIR/gateways/POOL.json). It is read again when it changes; a file with errors changes nothing.
Signals: SIGTERM or Ctrl-C: stop, nginx included; SIGHUP: reload settings, reopen the log.

example:
  postern-antivirus --settings /var/lib/postern/gateways/antivirus.json --name av1 \\
      --source /var/lib/postern/antivirus --home /var/lib/postern/av1 \\
      --public-key /etc/postern/postern-av.pub
"""


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        _PROGRAM, "Serve anti-virus signatures to clients in the intranets, and to scanners.", _EPILOG
    )
    program.add_common_arguments(parser, "antivirus", "this member's name")
    parser.add_argument("--source", type=Path, required=True, metavar="DIR", help="the builder's store")
    parser.add_argument(
        "--home",
        type=Path,
        required=True,
        metavar="DIR",
        help="directory for the verified copy, and nginx's files",
    )
    parser.add_argument(
        "--public-key", type=Path, required=True, metavar="FILE", help="the builder's public key"
    )
    add_api_options(parser, "", "reports of clients are not passed on")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    try:
        return run_daemon(_PROGRAM, parsed, lambda journal: _build(parsed, journal))
    except NginxFailed as error:
        return program.fail(_PROGRAM, str(error))


def _build(parsed: argparse.Namespace, journal: Journal) -> AntivirusServer:
    home = parsed.home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    copy = Replica(parsed.source, home / "www", parsed.public_key)
    return AntivirusServer(
        ServerOptions(parsed.settings, home, parsed.name, access_or_none(parsed)), copy, journal
    )


def run() -> int:
    """Run `main` as a program: every error becomes an exit code."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
