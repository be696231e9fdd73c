"""What programs on hosts share: common arguments, start-up, errors, exit codes and signals."""

import argparse
import asyncio
import errno
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from common.commands import explain
from common.exit_codes import ExitCode
from common.journal.journal import Journal, Ship
from services.base.events import DaemonEvent
from services.base.journal import open_journal
from services.base.settings import SettingsError

_REMEDIES = {
    errno.EADDRINUSE: "stop the program that uses this port",
    errno.EADDRNOTAVAIL: "assign the address to this host",
    errno.EACCES: "run as root",
    errno.EPERM: "run as root",
    errno.ENOSPC: "free some space",
}


def build_parser(program: str, description: str, epilog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program)
    explain(parser, description, epilog)
    return parser


def add_common_arguments(parser: argparse.ArgumentParser, name: str, name_help: str) -> None:
    parser.add_argument(
        "--settings",
        type=Path,
        required=True,
        metavar="FILE",
        help="settings (JSON), as the controller writes them",
    )
    add_journal_arguments(parser, name, name_help)


def add_journal_arguments(
    parser: argparse.ArgumentParser, name: str, name_help: str = "this program's name in the journal"
) -> None:
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="journal, JSON lines (default: standard output)"
    )
    parser.add_argument("--name", default=name, help=f"{name_help} (default: {name})")


def run(
    program: str,
    parsed: argparse.Namespace,
    begin: Callable[[Journal], None],
    ship: Ship | None = None,
) -> int:
    """Open the journal, then run the program in `begin`. Return its exit code; errors go to stderr."""
    try:
        journal = open_journal(parsed.log, program, parsed.name, ship)
    except OSError as error:
        return fail(program, f"{parsed.log}: {error}; remedy: choose a log file that can be written")
    try:
        begin(journal)
    except (SettingsError, UnicodeDecodeError) as error:
        file = getattr(parsed, "settings", None)
        return fail(program, f"{file}: {error}" if file else str(error))
    except OSError as error:
        return fail(program, f"cannot start: {error}; remedy: {_remedy(error)}")
    return 0


def _remedy(error: OSError) -> str:
    missing = "name an existing file or directory that this user has access to"
    otherwise = missing if error.filename else "run `postern doctor` on this host"
    return _REMEDIES.get(error.errno or 0, otherwise)


def fail(program: str, reason: str, code: ExitCode = ExitCode.FAILED) -> int:
    print(f"{program}: {reason}", file=sys.stderr)
    return code


async def until_stopped(journal: Journal, reload: Callable[[], None]) -> None:
    """Return at SIGTERM or Ctrl-C. At SIGHUP reopen the log and reload."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_hangup() -> None:
        try:
            journal.reopen()
        except OSError as error:
            journal.write(DaemonEvent.LOG_NOT_REOPENED, reason=str(error))
        reload()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.add_signal_handler(signal.SIGHUP, on_hangup)
    await stop.wait()
