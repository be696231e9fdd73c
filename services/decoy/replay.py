"""`postern-decoy-replay`: prints a recorded session with times, safe for any terminal."""

import argparse
import base64
import binascii
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from common import entry
from common.commands import CommandError, Result, be_command, build_command_parser, execute
from services.decoy.spool.recordings import FORMAT, IN, OUT

_PROGRAM = "postern-decoy-replay"
_NAME = re.compile(r"[0-9a-f]{8,64}")
_ARROWS = {IN: "client", OUT: "decoy "}
_LONGEST_HEX = 64


class ReplayError(Exception):
    """There is no such recording, or it is not valid; the text has a remedy."""


def replay(spool: Path, session: str) -> Iterator[str]:
    """Yield lines of printable ASCII. Raise `ReplayError`."""
    if not _NAME.fullmatch(session):
        raise ReplayError(
            f"{session!r:.80} is not a valid session; remedy: use `session` from a line of the journal"
        )
    path = spool / "sessions" / session
    try:
        with path.open("r", encoding="ascii", errors="replace") as file:
            yield _title(file.readline())
            for line in file:
                yield from _lines(line)
    except FileNotFoundError as error:
        remedy = "it may have been removed for newer ones; remedy: see the journal, or raise the quota"
        raise ReplayError(f"{path}: no such recording; {remedy}") from error
    except OSError as error:
        raise ReplayError(f"{path}: {error}; remedy: run as a user with access to the spool") from error


def _title(line: str) -> str:
    try:
        head = json.loads(line)
    except ValueError as error:
        raise ReplayError("the recording has no head: it is truncated and cannot be read") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ReplayError("the recording has another format; remedy: use the release that wrote it")
    facts = [f"{key} {value}" for key, value in head.items() if key != "format"]
    return _safe("# " + ", ".join(facts))


def _lines(line: str) -> Iterator[str]:
    """Yield the texts of a line. A line that was truncated when the decoy was killed is reported."""
    direction, _, rest = line.rstrip("\n").partition(" ")
    seconds, _, encoded = rest.partition(" ")
    try:
        data, at = base64.b64decode(encoded, validate=True), float(seconds)
    except (binascii.Error, ValueError):
        yield "# (the recording is truncated here)"
        return
    who = _ARROWS.get(direction, "?     ")
    for text in _printable(data):
        yield f"{at:10.3f}  {who}  {text}"


def _printable(data: bytes) -> Iterator[str]:
    """Yield text line by line. Data that is mostly not text is shown in hexadecimal."""
    strange = sum(byte < 9 or 13 < byte < 32 or byte > 126 for byte in data)
    if strange * 4 > len(data):
        for begin in range(0, len(data), _LONGEST_HEX // 2):
            yield "0x " + data[begin : begin + _LONGEST_HEX // 2].hex(" ")
        return
    for line in data.splitlines(keepends=True):
        yield _safe(line.rstrip(b"\r\n").decode("latin-1")) + ("" if line.endswith(b"\n") else " ...")


def _safe(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


def build_parser() -> argparse.ArgumentParser:
    description = (
        "Print a session that a decoy recorded: what client and decoy sent, and when. "
        "Control characters are escaped, so that nothing in it can change the terminal."
    )
    epilog = f"example:\n  {_PROGRAM} /var/lib/postern/decoy 0123456789abcdef"
    parser = build_command_parser(_PROGRAM, description, epilog)
    be_command(parser, _run, description, epilog)
    parser.add_argument("spool", type=Path, metavar="SPOOL", help="the decoy's --spool")
    add_session_argument(parser)
    return parser


def add_session_argument(parser: argparse.ArgumentParser) -> None:
    """Add the session to replay; `postern decoy replay` takes the same."""
    parser.add_argument(
        "session",
        metavar="SESSION",
        help="`session` from a line of the journal, or as `postern decoy sessions` shows it",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    return execute(build_parser(), arguments)


def _run(parsed: argparse.Namespace) -> Result:
    try:
        lines = list(replay(parsed.spool, parsed.session))
    except ReplayError as error:
        raise CommandError([f"{_PROGRAM}: {error}"]) from error
    return Result({"session": parsed.session, "lines": lines}, lines)


def run() -> int:
    """Run `main` as a program: every error becomes an exit code."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
