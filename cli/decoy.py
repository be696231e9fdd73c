"""`postern decoy`: lists and replays the sessions that decoys have recorded."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from common.commands import CommandError, Result, add_command, explain
from lab.paths import LabPaths
from lab.services.decoys import homes
from services.decoy.replay import ReplayError, add_session_argument, replay

_SYSTEM = Path("/var/lib/postern/decoy")
# What is counted, by the event's name; decoys of the first release wrote the lower-case names.
_COUNTED = {
    "LoginTried": "login",
    "CommandEntered": "command",
    "FileUploaded": "upload",
    "MailCaptured": "message",
    **{name: name for name in ("login", "command", "upload", "message")},
}
_EPILOG = """\
examples:
  postern decoy sessions                      all sessions, oldest first
  postern decoy replay 0123456789abcdef       one session, byte for byte, with times

The recordings are those of the running lab and of /var/lib/postern/decoy; --home names another directory.
"""
Event = dict[str, object]


def fill(parser: argparse.ArgumentParser) -> None:
    explain(
        parser, "List the sessions that decoys recorded, and replay one. Run it on the decoy's host.", _EPILOG
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    listing = add_command(
        commands,
        "sessions",
        "list sessions: time, source, target, and what was tried",
        _list,
        "example:\n  postern decoy sessions --source 198.51.100.66",
    )
    listing.add_argument("--source", metavar="ADDRESS", help="only of this address")
    playing = add_command(
        commands,
        "replay",
        "print a session as it was recorded",
        _replay,
        "example:\n  postern decoy replay 0123456789abcdef",
    )
    add_session_argument(playing)
    for each in (listing, playing):
        each.add_argument(
            "--home",
            type=Path,
            metavar="DIR",
            help=f"holds journal.jsonl and spool/ (default: the lab's decoys, and {_SYSTEM})",
        )


def _homes(arguments: argparse.Namespace) -> list[Path]:
    return [arguments.home] if arguments.home else [*homes(LabPaths.from_environment()), _SYSTEM]


def _list(arguments: argparse.Namespace) -> Result:
    found: dict[str, list[Event]] = {}
    for event in _events(_homes(arguments)):
        session, source = event.get("session"), event.get("source")
        if isinstance(session, str) and arguments.source in (None, source):
            found.setdefault(session, []).append(event)
    facts = [_facts(session, events) for session, events in found.items()]
    return Result(facts, [_line(each) for each in facts] or ["no session yet"])


def _facts(session: str, events: list[Event]) -> Event:
    counts = Counter(_COUNTED.get(str(event["event"])) for event in events)
    first = events[0]
    return {
        "session": session,
        "time": _time_of(first),
        **{key: first.get(key) for key in ("source", "destination", "port", "protocol")},
        "counts": {kind: counts[kind] for kind in dict.fromkeys(_COUNTED.values()) if kind in counts},
    }


def _line(session: Event) -> str:
    counts = session["counts"]
    counted = (
        ", ".join(f"{count} {kind}s" for kind, count in counts.items()) if isinstance(counts, dict) else ""
    )
    return (
        f"{session['session']}  {str(session['time'])[:19]}Z  {session['source']} -> "
        f"{session['destination']}:{session['port']} {session['protocol']}  {counted}".rstrip()
    )


def _time_of(event: Event) -> object:
    return event.get("time", event.get("at"))  # `at`: in journals of earlier releases


def _events(places: list[Path]) -> Iterator[Event]:
    for home in places:
        try:
            lines = (home / "journal.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # an incomplete line, which is being written
            if isinstance(event, dict) and "event" in event and _time_of(event) is not None:
                yield event


def _replay(arguments: argparse.Namespace) -> Result:
    reason = "no decoy is known here; remedy: --home DIR"
    for home in _homes(arguments):
        try:
            lines = list(replay(home / "spool", arguments.session))
        except ReplayError as error:
            reason = str(error)
            continue
        return Result({"session": arguments.session, "lines": lines}, lines)
    raise CommandError([reason])
