"""`postern-av-agent`: the update agent beside freshclam on a client, and on scanners, as a program."""

import argparse
import asyncio
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from common import entry
from common.exit_codes import ExitCode
from common.journal.journal import Journal
from common.options import duration_option
from services.antivirus.agent.daemon import UpdateAgent
from services.antivirus.agent.download import Fetcher
from services.antivirus.agent.verification import Clamd
from services.base import program
from services.base.daemon import run_daemon

_PROGRAM = "postern-av-agent"
_EPILOG = """\
The agent waits for a new generation of signatures by long polling and downloads what has changed. It
verifies the builder's signature and every hash, and checks that clamscan loads the generation and finds its
marker. Only then does it install the files in the database directory. If anything fails, the current
signatures stay. Files from other sources are never changed. ClamAV's own databases are left to freshclam,
which is run when they are due.

example:
  postern-av-agent --server http://192.0.2.120 --database /var/lib/clamav --state /var/lib/postern-av \\
      --public-key /etc/postern-av.pub --clamd /run/clamav/clamd.ctl
"""


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        _PROGRAM, "Keep the anti-virus signatures of this host up to date.", _EPILOG
    )
    add = parser.add_argument
    add("--server", type=Fetcher, required=True, metavar="URL", help="the anti-virus servers")
    add("--database", type=Path, required=True, metavar="DIR", help="ClamAV's database directory")
    add("--state", type=Path, required=True, metavar="DIR", help="directory for the agent's own state")
    add("--public-key", type=Path, required=True, metavar="FILE", help="the builder's public key")
    add("--clamd", type=Clamd, metavar="HOST:PORT|SOCKET", help="clamd that loads new signatures")
    add("--freshclam-config", type=Path, metavar="FILE", help="run freshclam with this file when it is due")
    add("--spread", type=duration_option("0s", "1d"), metavar="DURATION",
        help="longest random delay before a download (default: set by the server)")  # fmt: skip
    add("--kind", choices=("client", "scanner"), default="client",
        help="kind of host, in reports (default: client)")  # fmt: skip
    add("--name", default=socket.gethostname(), help="this host's name in reports (default: its host name)")
    add("--once", action="store_true", help="update once, then exit; the exit code is 1 if that failed")
    add("--log", type=Path, metavar="FILE", help="journal, JSON lines (default: standard output)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    if not parsed.once:
        return run_daemon(_PROGRAM, parsed, lambda journal: UpdateAgent(parsed, journal))
    is_good = False

    def update_once(journal: Journal) -> None:
        nonlocal is_good
        is_good = asyncio.run(UpdateAgent(parsed, journal).once())
        journal.flush()

    code = program.run(_PROGRAM, parsed, update_once)
    return code or (ExitCode.OK if is_good else ExitCode.FAILED)


def run() -> int:
    """Run `main` as a program: every error becomes an exit code."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
