"""`postern-sensors`: feeds, CrowdSec and Suricata as one program."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from common import entry
from common.api import access_in, add_api_options
from services.base import program
from services.base.journal import Journal
from services.base.settings import SettingsError
from services.sensors.sensors import Event, Sensors
from services.sensors.settings import parse_settings

_PROGRAM = "postern-sensors"
_EPILOG = """\
The settings file is yours to write: docs/sensors.md has every key. Signals: SIGTERM or
Ctrl-C: end; SIGHUP: reopen the log, take up changed settings, refresh all feeds now.
Needs no privileges except access to the controller's API.

example:  postern-sensors --settings /etc/postern/sensors.yaml --api unix:/run/postern/api.sock
"""


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        _PROGRAM,
        "Bring the controller what others know: feeds and CrowdSec's decisions as decisions, "
        "Suricata's alerts as evidence.",
        _EPILOG,
    )
    parser.add_argument("--settings", type=Path, required=True, metavar="FILE", help="settings (YAML)")
    add_api_options(parser)
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=Path("/var/lib/postern/sensors"),
        metavar="DIR",
        help="last good copies of feeds, positions in logs (/var/lib/postern/sensors)",
    )
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="journal, JSON lines (default: standard output)"
    )
    parser.add_argument("--name", default="sensors", help="this program's name in the journal")
    parser.add_argument("--check", action="store_true", help="only say whether the settings are good")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    if parsed.check:
        return _check(parsed.settings)
    return program.run(_PROGRAM, parsed, lambda journal: asyncio.run(_run(parsed, journal)), Journal)


def _check(file: Path) -> int:
    try:
        parse_settings(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError, SettingsError) as error:
        return program.fail(_PROGRAM, str(error))
    print(f"{file}: good")
    return 0


async def _run(parsed: argparse.Namespace, journal: Journal) -> None:
    sensors = Sensors(parsed.settings, access_in(parsed), parsed.state_dir, journal)
    sensors.start()
    await program.until_stopped(journal, Event.SETTINGS_REFUSED, sensors.reload)
    await sensors.stop()


def run() -> int:
    """Be the program: `main`, whatever happens."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
