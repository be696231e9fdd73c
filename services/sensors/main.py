"""`postern-sensors`: feeds, CrowdSec and Suricata as one program."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from common import entry
from common.api import access_in, add_api_options
from common.config.errors import ConfigErrors
from common.journal.journal import Journal
from services.base import program
from services.base.daemon import run_daemon
from services.sensors.sensors import Sensors

_PROGRAM = "postern-sensors"
_EPILOG = """\
You write the settings file: docs/reference/sensors.md describes every key.
Signals: SIGTERM or Ctrl-C: stop; SIGHUP: reopen the log, reload changed settings, refresh all feeds now.
Needs no privileges except access to the controller's API.

examples:
  postern check --kind sensors /etc/postern/sensors.yaml
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
    program.add_journal_arguments(parser, "sensors")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    try:
        return run_daemon(_PROGRAM, parsed, lambda journal: _build(parsed, journal))
    except ConfigErrors as error:
        return program.fail(_PROGRAM, str(error))


def _build(parsed: argparse.Namespace, journal: Journal) -> Sensors:
    return Sensors(parsed.settings, access_in(parsed), parsed.state_dir, journal)


def run() -> int:
    """Run `main` as a program: every error becomes an exit code."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
