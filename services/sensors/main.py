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
You write the settings file: docs/sensors.md describes every key.
Signals: SIGTERM or Ctrl-C: stop; SIGHUP: reopen the log, reload changed settings, refresh all feeds now.
Needs no privileges except access to the controller's API.

examples:
  postern-sensors --settings /etc/postern/sensors.yaml --check
  postern-sensors --settings /etc/postern/sensors.yaml --api unix:/run/postern/api.sock
"""


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        _PROGRAM,
        "Feed the controller from other detectors: block lists and CrowdSec as decisions, Suricata's "
        "alerts as evidence.",
        _EPILOG,
    )
    parser.add_argument("--settings", type=Path, required=True, metavar="FILE", help="settings (YAML)")
    add_api_options(parser)
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=Path("/var/lib/postern/sensors"),
        metavar="DIR",
        help="directory for copies of feeds and positions in logs (default: /var/lib/postern/sensors)",
    )
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="journal, JSON lines (default: standard output)"
    )
    parser.add_argument(
        "--name", default="sensors", help="this program's name in the journal (default: sensors)"
    )
    parser.add_argument("--check", action="store_true", help="only check the settings, and exit")
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
