"""`postern-responder`: the responder as a program."""

import argparse
import asyncio
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from services.mail.journal import Journal
from services.mail.settings import SettingsError
from services.responder.answering import Caps, Event, Responder

_EPILOG = """\
The settings file is written by the controller (STATE_DIR/gateways/POOL.json) from the
policy, and is taken up again when it changes; a bad file changes nothing. Signals:
SIGTERM or Ctrl-C: end; SIGHUP: reload settings, reopen the log.
Answering under tenants' addresses needs CAP_NET_ADMIN and CAP_NET_BIND_SERVICE.

example:  postern-responder --settings /var/lib/postern/gateways/responders.json --name responder1
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="postern-responder",
        description="Answer mail that no proxy or scanner can take: ask senders to come back later, "
        "or refuse it, as each tenant wants. Takes no message, and opens no connection.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--settings", type=Path, required=True, metavar="FILE", help="settings (JSON)")
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="journal, JSON lines (default: standard output)"
    )
    parser.add_argument("--name", default="responder", help="this member's name in the journal")
    parser.add_argument(
        "--sessions", type=int, default=1_000, metavar="N", help="most sessions at once (1000)"
    )
    parser.add_argument(
        "--seconds", type=float, default=30.0, metavar="S", help="longest that one session takes (30)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    try:
        journal = Journal(parsed.log, parsed.name)
    except OSError as error:
        print(
            f"postern-responder: {parsed.log}: {error}; remedy: name a log that can be written",
            file=sys.stderr,
        )
        return 1
    _raise_file_limit()
    try:
        asyncio.run(_run(parsed, journal))
    except (SettingsError, UnicodeDecodeError) as error:
        print(f"postern-responder: {parsed.settings}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"postern-responder: cannot start: {error}; remedy: run as root, or free the port",
            file=sys.stderr,
        )
        return 1
    return 0


async def _run(parsed: argparse.Namespace, journal: Journal) -> None:
    responder = Responder(parsed.settings, journal, Caps(parsed.sessions, parsed.seconds))
    await responder.start()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_hangup() -> None:
        try:
            journal.reopen()
        except OSError as error:
            journal.write(Event.SETTINGS_REFUSED, why=f"log cannot be reopened: {error}")
        responder.reload()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.add_signal_handler(signal.SIGHUP, on_hangup)
    await stop.wait()
    responder.stop()


def _raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
