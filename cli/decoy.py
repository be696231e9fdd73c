"""`postern decoy`: what decoys have seen: their sessions, listed and played again."""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from cli.common import Subparsers
from lab.paths import Places
from lab.services.decoys import homes

_SYSTEM = Path("/var/lib/postern/decoy")
_COUNTED = ("login", "command", "upload", "message")
_EPILOG = """\
  postern decoy sessions                      what was done at the decoys, the latest last
  postern decoy replay 0123456789abcdef       one session, byte for byte, with times

Looks into the decoys of the lab that is up, and into /var/lib/postern/decoy; --home names another place.
"""


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "decoy",
        help="what decoys have seen, listed and replayed",
        description="List the sessions that decoys had, and play one again. To be run on the decoy's host.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    listing = commands.add_parser("sessions", help="list sessions", description="List sessions.")
    listing.add_argument("--source", help="only of this address")
    listing.set_defaults(run=_list)
    replay = commands.add_parser("replay", help="play a session again", description="Play a session again.")
    replay.add_argument("session", metavar="SESSION", help="as `sessions` and the journal show it")
    replay.set_defaults(run=_replay)
    for each in (listing, replay):
        each.add_argument("--home", type=Path, metavar="DIR", help="holds journal.jsonl and spool/")


def _homes(arguments: argparse.Namespace) -> list[Path]:
    return [arguments.home] if arguments.home else [*homes(Places.from_environment()), _SYSTEM]


def _list(arguments: argparse.Namespace) -> int:
    """Print a line for each session: when, who, where, and what was tried."""
    found: dict[str, list[dict[str, object]]] = {}
    for event in _events(_homes(arguments)):
        session, source = event.get("session"), event.get("source")
        if isinstance(session, str) and arguments.source in (None, source):
            found.setdefault(session, []).append(event)
    for session, events in found.items():
        first = events[0]
        kinds = [str(event["event"]) for event in events]
        counts = ", ".join(f"{kinds.count(kind)} {kind}s" for kind in _COUNTED if kind in kinds)
        print(
            f"{session}  {str(first['time'])[:19]}Z  {first.get('source')} -> "
            f"{first.get('destination')}:{first.get('port')} {first.get('protocol')}  {counts}".rstrip()
        )
    if not found:
        print("no session yet")
    return 0


def _events(places: list[Path]) -> Iterator[dict[str, object]]:
    for home in places:
        try:
            lines = (home / "journal.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # half a line, being written
            if isinstance(event, dict) and "time" in event and "event" in event:
                yield event


def _replay(arguments: argparse.Namespace) -> int:
    """Have the decoy's own program play it: it knows how sessions are recorded."""
    said = ""
    for home in _homes(arguments):
        command = [
            sys.executable,
            "-P",
            "-m",
            "services.decoy.replay",
            str(home / "spool"),
            arguments.session,
        ]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
        if done.returncode == 0:
            print(done.stdout, end="")
            return 0
        said = done.stderr
    print(said or "no decoy is known here; remedy: --home DIR", end="" if said else "\n", file=sys.stderr)
    return 1
