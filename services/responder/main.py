"""`postern-responder`: the responder as a program."""

import argparse
import sys
from collections.abc import Sequence

from common import entry
from common.options import duration_option, number_option
from services.base import program
from services.base.daemon import run_daemon
from services.responder.server import Responder, ResponderCaps

_PROGRAM = "postern-responder"
_EPILOG = """\
The controller writes the settings file (STATE_DIR/gateways/POOL.json) from the policy. It is read again
when it changes; a file with errors changes nothing.
Signals: SIGTERM or Ctrl-C: stop; SIGHUP: reload settings, reopen the log.
Answering at tenants' addresses needs CAP_NET_ADMIN and CAP_NET_BIND_SERVICE.

example:
  postern-responder --settings /var/lib/postern/gateways/responders.json --name responder1
"""


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        _PROGRAM,
        "Answer SMTP while a pool has no available member: reply with a temporary or permanent error, as "
        "each tenant's policy says. It accepts no message, and opens no connection.",
        _EPILOG,
    )
    program.add_common_arguments(parser, "responder", "this member's name in the journal")
    parser.add_argument(
        "--sessions",
        type=number_option(),
        default=1_000,
        metavar="N",
        help="maximum concurrent sessions (default: 1000)",
    )
    parser.add_argument(
        "--session-time",
        type=duration_option("100ms", "1h"),
        default="30s",
        metavar="DURATION",
        help="maximum duration of a session (default: 30s)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    caps = ResponderCaps(parsed.sessions, parsed.session_time)
    return run_daemon(_PROGRAM, parsed, lambda journal: Responder(parsed.settings, journal, caps))


def run() -> int:
    """Run `main` as a program: every error becomes an exit code."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
