"""`postern-cowrie`: SSH and Telnet of the decoys as a program of its own."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from services.decoy.cowrie.journal import DecoyJournal
from services.decoy.cowrie.process import CowrieMissing, Installed, find_installed
from services.decoy.cowrie.service import CowrieService, Options
from services.decoy.persona.errors import PersonaErrors
from services.mail.settings import SettingsError
from services.program import add_common_arguments, fail
from services.program import build_parser as build_common_parser

_PROGRAM = "postern-cowrie"
_EPILOG = """\
Cowrie runs in an environment of its own (make setup), as the user postern-cowrie, in a
network without interfaces: it answers what is handed over to it, and can call nobody.
Settings and personas are taken up again when they change; bad ones change nothing.
Signals: SIGTERM or Ctrl-C: end; SIGHUP: reload, reopen the log. Run it as root.

example:  postern-cowrie --settings decoys.json --personas personas --spool /var/spool/postern --name decoy1
"""
_MB = 1024 * 1024


def build_parser() -> argparse.ArgumentParser:
    description = "Answer SSH and Telnet at tenants' addresses as their personas say, by Cowrie."
    parser = build_common_parser(_PROGRAM, description, _EPILOG)
    add_common_arguments(parser, "decoy", "this decoy's name in the journal")
    parser.add_argument(
        "--personas", type=Path, required=True, metavar="DIR", help="TENANT.yaml for each tenant"
    )
    parser.add_argument("--spool", type=Path, required=True, metavar="DIR", help="recordings, uploads, state")
    parser.add_argument(
        "--controller", default="", metavar="SOCKET", help="where evidence goes (default: nowhere)"
    )
    for name, what in (("recordings", "recorded sessions"), ("uploads", "uploaded files")):
        parser.add_argument(f"--{name}", type=int, default=256, metavar="MB", help=f"most of {what} (256)")
    parser.add_argument(
        "--sessions", type=int, default=20, metavar="N", help="most sessions of a source (20)"
    )
    parser.add_argument("--ready", type=int, default=8, metavar="N", help="Cowries that wait running (8)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    try:
        installed = find_installed()
        journal = DecoyJournal(parsed.log, parsed.name)
        asyncio.run(_run(_options(parsed), installed, journal))
    except (CowrieMissing, PersonaErrors) as error:
        return fail(_PROGRAM, str(error))
    except (SettingsError, UnicodeDecodeError) as error:
        return fail(_PROGRAM, f"{parsed.settings}: {error}")
    except OSError as error:
        return fail(
            _PROGRAM, f"cannot start: {error}; remedy: run as root, and name places that can be written"
        )
    return 0


def _options(parsed: argparse.Namespace) -> Options:
    return Options(
        settings=parsed.settings,
        personas=parsed.personas,
        spool=parsed.spool.resolve(),
        controller=parsed.controller.removeprefix("unix:"),
        recordings_bytes=parsed.recordings * _MB,
        uploads_bytes=parsed.uploads * _MB,
        sessions_of_a_source=parsed.sessions,
        kept_ready=parsed.ready,
    )


async def _run(options: Options, installed: Installed, journal: DecoyJournal) -> None:
    service = CowrieService(options, installed, journal)
    loop = asyncio.get_running_loop()

    def on_hangup() -> None:
        try:
            journal.reopen()
        finally:
            service.reload()

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, on_hangup)
    try:
        service.start()
        following = asyncio.create_task(service.run())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([following, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in (following, stopping):
            task.cancel()
        await asyncio.wait([following, stopping])
        if not following.cancelled():
            following.result()  # raises what it died of
    finally:
        await service.stop()


if __name__ == "__main__":
    sys.exit(main())
