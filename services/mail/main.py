"""`postern-mail`: the mail gateway as a program."""

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from common import entry
from common.api import access_or_none, add_api_options
from common.journal.journal import Journal
from common.options import duration_option, number_option
from services.base import program
from services.base.daemon import run_daemon
from services.mail.admission import MailCaps
from services.mail.gateway import Gateway, GatewayOptions

_PROGRAM = "postern-mail"
_EPILOG = """\
The controller writes the settings file (STATE_DIR/gateways/POOL.json) from the policy. It is read again
when it changes; a file with errors changes nothing.
Signals: SIGTERM or Ctrl-C: let sessions finish, then stop; SIGHUP: reload settings, reopen the log.
Connecting from clients' addresses needs CAP_NET_ADMIN and CAP_NET_BIND_SERVICE.

example:
  postern-mail --settings /var/lib/postern/gateways/proxies.json --name proxy1
"""


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        _PROGRAM,
        "Relay mail transparently to tenants' mail servers: scan messages, deliver clean ones, and refuse "
        "infected ones. A 2xx reply to a message always comes from the tenant's own server.",
        _EPILOG,
    )
    program.add_common_arguments(
        parser, "gateway", "this member's name in the policy (for its limit) and in the journal"
    )
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=Path("/var/lib/postern/mail"),
        metavar="DIR",
        help="directory for spool and certificates (default: /var/lib/postern/mail)",
    )
    add_api_options(parser, "", "no evidence is sent")
    parser.add_argument(
        "--grace",
        type=duration_option("0s", "1h"),
        default="10s",
        metavar="DURATION",
        help="time for open sessions to finish after SIGTERM (default: 10s)",
    )
    parser.add_argument(
        "--sessions",
        type=number_option(),
        default=5_000,
        metavar="N",
        help="maximum concurrent sessions (default: 5000)",
    )
    parser.add_argument(
        "--sessions-per-client",
        type=number_option(),
        default=100,
        metavar="N",
        help="maximum concurrent sessions of one address (default: 100)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    return run_daemon(_PROGRAM, parsed, lambda journal: _build(parsed, journal), runner=uvloop.run)


def _build(parsed: argparse.Namespace, journal: Journal) -> Gateway:
    _calm_the_collector()
    caps = MailCaps(
        total=parsed.sessions,
        per_client=parsed.sessions_per_client,
        per_network=5 * parsed.sessions_per_client,
    )
    options = GatewayOptions(
        settings=parsed.settings,
        name=parsed.name,
        caps=caps,
        grace_s=parsed.grace,
        state_dir=parsed.state_dir,
        api=access_or_none(parsed),
    )
    return Gateway(options, journal)


def _calm_the_collector() -> None:
    """Collect garbage rarely: sessions are freed by reference counting."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def run() -> int:
    """Run `main` as a program: every error becomes an exit code."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
