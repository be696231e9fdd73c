"""`postern-mail`: the mail gateway as a program."""

import argparse
import asyncio
import gc
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from services.mail.journal import Event, Journal
from services.mail.settings import SettingsError
from services.mail.shell.gateway import Caps, Gateway

_EPILOG = """\
The settings file is written by the controller (STATE_DIR/gateways/POOL.json) from the
policy, and is taken up again when it changes; a bad file changes nothing. Signals:
SIGTERM or Ctrl-C: let sessions finish, then end; SIGHUP: reload settings, reopen the log.
Speaking under clients' addresses needs CAP_NET_ADMIN and CAP_NET_BIND_SERVICE.

example:  postern-mail --settings /var/lib/postern/gateways/proxies.json --name proxy1
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="postern-mail",
        description="Stand transparently before tenants' mail servers: relay, have messages scanned, deliver "
        "what is clean, refuse what is not. A 2xx is only ever the tenant's server's own.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--settings", type=Path, required=True, metavar="FILE", help="settings (JSON)")
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="journal, JSON lines (default: standard output)"
    )
    parser.add_argument(
        "--name",
        default="gateway",
        help="this member's name in the policy (for its limit) and in the journal",
    )
    parser.add_argument(
        "--state-dir",
        type=Path,
        metavar="DIR",
        help="for spool and certificates (default: as the settings say)",
    )
    parser.add_argument(
        "--grace", type=float, default=10.0, metavar="S", help="seconds to finish sessions (10)"
    )
    parser.add_argument(
        "--sessions", type=int, default=5_000, metavar="N", help="most sessions at once (5000)"
    )
    parser.add_argument(
        "--sessions-per-client", type=int, default=100, metavar="N", help="most from one address (100)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    try:
        journal = Journal(parsed.log, parsed.name)
    except OSError as error:
        print(f"postern-mail: {parsed.log}: {error}; remedy: name a log that can be written", file=sys.stderr)
        return 1
    _raise_file_limit()
    _calm_the_collector()
    try:
        uvloop.run(_run(parsed, journal))
    except (SettingsError, UnicodeDecodeError) as error:
        print(f"postern-mail: {parsed.settings}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"postern-mail: cannot start: {error}; remedy: run as root, or free the port", file=sys.stderr)
        return 1
    return 0


async def _run(parsed: argparse.Namespace, journal: Journal) -> None:
    caps = Caps(
        total=parsed.sessions,
        per_client=parsed.sessions_per_client,
        per_neighbourhood=5 * parsed.sessions_per_client,
    )
    gateway = Gateway(parsed.settings, journal, caps, parsed.state_dir, parsed.name)
    await gateway.start()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_hangup() -> None:
        try:
            journal.reopen()
        except OSError as error:
            journal.write(Event.SETTINGS_REFUSED, why=f"log cannot be reopened: {error}")
        gateway.reload()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.add_signal_handler(signal.SIGHUP, on_hangup)
    await stop.wait()
    await gateway.stop(parsed.grace)


def _calm_the_collector() -> None:
    """Sessions are freed by counting references; looking for cycles may be rare."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def _raise_file_limit() -> None:
    """Two sockets for each session: take as many descriptors as we may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
