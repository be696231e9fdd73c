"""Writes reports of unexpected errors: everything that a developer needs, and no secrets.

Decides where they are kept and how many. Knows nothing about terminals.
"""

import itertools
import os
import platform
import pwd
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

KEPT = 10  # of each program, in each directory
_LONGEST = 200_000  # characters
_LONGEST_LINE = 200
_OF_ROOT = Path("/var/log/postern/reports")
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NUMBERS = itertools.count(1)
_TOKEN = r"(?<![\w/.-])[A-Za-z0-9_-]{43}(?![\w/.-])"  # the API's, 32 bytes in base64
_NAMES = r"(?:password|passwd|passphrase|secret|token|api[_-]?key)"
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)(://)[^/\s@'\"]+@"), r"\1***@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=_.~-]{8,}"), r"\1 ***"),
    (re.compile(rf"(?i)({_NAMES}['\"]?\s*[=:]\s*)(?:'[^']*'|\"[^\"]*\"|[^\s,;&'\")]+)"), r"\1***"),
    (re.compile(_TOKEN), "***"),
)
_OPTION = re.compile(rf"(?i)--[\w-]*{_NAMES}")


def build_report(program: str, error: BaseException, where: str = "") -> str:
    """Return the text of a report. `where` says what the program was doing, if the traceback does not."""
    head = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "program": f"{program} {_version()}",
        "arguments": " ".join(map(repr, hide_arguments(sys.argv))),
        "user": f"{os.geteuid()} (real {os.getuid()})",
        "directory": _directory(),
        "python": f"{platform.python_version()} {sys.executable}",
        "platform": platform.platform(),
        "path": os.environ.get("PATH", ""),
        "where": where,
    }
    lines = [f"{name:<10} {value}" for name, value in head.items() if value]
    told = "".join(traceback.TracebackException.from_exception(error).format())  # notes too, no variables
    return _safe("\n".join(["Postern: report of an unexpected error", "", *lines, "", told]))


def _safe(text: str) -> str:
    """Return a text of any length without its middle, without secrets, and fit for any terminal."""
    if len(text) > 2 * _LONGEST:  # a rough cut first: a secret at its edge is removed below
        text = text[:_LONGEST] + text[-_LONGEST:]
    text = printable(hide(text))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}\n[...]\n{text[-_LONGEST // 2 :]}"


def save(program: str, text: str) -> Path:
    """Write a report to the directory of the program's user; return its path. Raise `OSError`."""
    for directory in directories(os.environ, os.geteuid()):
        with suppress(OSError):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return _save(directory, program, text)
    return _save(Path(tempfile.gettempdir()), program, text)


def directories(environment: Mapping[str, str], user: int) -> Iterator[Path]:
    """Yield directories for this user's reports, best first. systemd says where a unit may write."""
    if (logs := environment.get("LOGS_DIRECTORY", "").split(":")[0]) and Path(logs).is_absolute():
        yield Path(logs) / "reports"
    if user == 0:
        yield _OF_ROOT
        return
    state = Path(environment.get("XDG_STATE_HOME", ""))
    home = Path(environment.get("HOME", "") or _home(user))
    if state.is_absolute():
        yield state / "postern" / "reports"
    if home.is_absolute():
        yield home / ".local" / "state" / "postern" / "reports"


def one_line(text: str) -> str:
    """Return an untrusted text in one line: bounded, without secrets, safe for any terminal."""
    line = printable(hide(" ".join(text[:_LONGEST].split())))
    return f"{line[:_LONGEST_LINE]}..." if len(line) > _LONGEST_LINE else line


def printable(text: str) -> str:
    """Return text in which nothing moves a terminal's cursor: an error may quote an attacker."""
    return "".join(each if each.isprintable() or each in "\n\t" else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def hide(text: str) -> str:
    """Return text without what looks like a secret: in URLs, in headers, after a name that says so."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def hide_arguments(arguments: Sequence[str]) -> list[str]:
    """Return arguments without secrets: the argument after `--password` is one; a path is not."""
    shown, is_secret = [], False
    for argument in arguments:
        shown.append("***" if is_secret and "/" not in argument else hide(argument))
        is_secret = bool(_OPTION.fullmatch(argument))
    return shown


def _save(directory: Path, program: str, text: str) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    file = directory / f"{program}-report-{stamp}-{os.getpid()}-{next(_NUMBERS)}.txt"
    with open(os.open(file, _FLAGS, 0o600), "w", encoding="utf-8", errors="backslashreplace") as out:
        out.write(text)
    _make_room(directory, program)
    return file


def _make_room(directory: Path, program: str) -> None:
    """Remove this user's oldest reports of the program. In a shared directory, others' reports stay."""
    ours: list[tuple[float, Path]] = []
    for file in directory.glob(f"{program}-report-*.txt"):
        with suppress(OSError):
            facts = file.lstat()
            if facts.st_uid == os.geteuid():
                ours.append((facts.st_mtime, file))
    for _, file in sorted(ours)[:-KEPT]:
        with suppress(OSError):
            file.unlink()


def _version() -> str:
    try:
        return version("postern")
    except PackageNotFoundError:
        return "(not installed)"


def _directory() -> str:
    return _or_nothing(os.getcwd)


def _home(user: int) -> str:
    return _or_nothing(lambda: pwd.getpwuid(user).pw_dir)


def _or_nothing(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except (OSError, KeyError):
        return ""
