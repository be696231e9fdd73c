"""Parses MAIL and RCPT strictly. Ambiguous input is refused, never guessed.

Accepted commands are passed on as the client's own bytes; the parse only serves
our decisions. Grammar: RFC 5321, 4.1.1.2, 4.1.1.3, 4.1.2.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_PATH_BYTES = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets
MAX_LOCAL_BYTES = 64
MAX_DOMAIN_BYTES = 255

_ATOM = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-]+"
_QUOTED = rb'"(?:[\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\x20-\x7e])*"'
_LOCAL = rb"(?P<local>" + _ATOM + rb"(?:\." + _ATOM + rb")*|" + _QUOTED + rb")"
_LABEL = rb"[A-Za-z0-9\x80-\xff_](?:[A-Za-z0-9\x80-\xff_-]*[A-Za-z0-9\x80-\xff_])?"
_NAME = _LABEL + rb"(?:\." + _LABEL + rb")*\.?"
_LITERAL = rb"\[(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|IPv6:[0-9A-Fa-f:.]{2,45})\]"
_ROUTE = rb"(?:@" + _NAME + rb"(?:,@" + _NAME + rb")*:)?"
_MAILBOX = _LOCAL + rb"@(?P<domain>" + _NAME + rb"|" + _LITERAL + rb")"
_PARAMETERS = rb"(?P<parameters>(?: +[A-Za-z0-9][A-Za-z0-9-]*(?:=[\x21-\x3c\x3e-\x7e\x80-\xff]+)?)*) *"
_MAIL = re.compile(rb"(?i:MAIL FROM:) ?<(?P<path>" + _ROUTE + rb"(?:" + _MAILBOX + rb")?)>" + _PARAMETERS)
_RCPT = re.compile(
    rb"(?i:RCPT TO:) ?<(?P<path>"
    + _ROUTE
    + rb"(?:"
    + _MAILBOX
    + rb"|(?P<postmaster>(?i:postmaster))))>"
    + _PARAMETERS
)
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_ENCODED_CONTROL = re.compile(rb"\+(?:[01][0-9A-Fa-f]|7[Ff])")

# Which announced extension defines a parameter (RFC 1870, 6152, 6531, 3461).
_EXTENSION_BY_PARAMETER = {
    "MAIL": {"SIZE": "SIZE", "BODY": "8BITMIME", "SMTPUTF8": "SMTPUTF8", "RET": "DSN", "ENVID": "DSN"},
    "RCPT": {"NOTIFY": "DSN", "ORCPT": "DSN"},
}


class Problem(StrEnum):
    """Why a command is refused. The catalogue has a reply for each."""

    SYNTAX = "syntax"
    TOO_LONG = "too long"
    UNKNOWN_PARAMETER = "unknown parameter"
    BAD_PARAMETER = "bad parameter"
    NOT_ASCII = "not ascii"
    CONTROL = "control"


class CommandError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@dataclass(slots=True)  # not frozen: made for every command, and that costs six times as much
class Path:
    """An envelope address, lower case for matching, and the parameters of its command."""

    address: str
    size_bytes: int = 0  # declared with SIZE=


def verb_of(line: bytes) -> str:
    """Return the verb in capitals, or an empty text if the line has none."""
    word = line.split(b" ", 1)[0]
    return word.decode("ascii", "replace").upper() if word.isascii() and len(word) <= 16 else ""


def parse_path(line: bytes, extensions: frozenset[str]) -> Path:
    """Parse MAIL or RCPT. Raise `CommandError`; `extensions` are those announced to this client."""
    if _CONTROL.search(line):
        raise CommandError(Problem.CONTROL)
    verb = "MAIL" if line[:4].upper() == b"MAIL" else "RCPT"
    found = (_MAIL if verb == "MAIL" else _RCPT).fullmatch(line)
    if not found:
        raise CommandError(Problem.SYNTAX)
    _check_lengths(found)
    words = found["parameters"].split()
    parameters = _parse_parameters(verb, words, extensions) if words else {}
    if not line.isascii() and "SMTPUTF8" not in extensions:
        raise CommandError(Problem.NOT_ASCII)
    address = found["path"].rpartition(b":")[2] if found["path"].startswith(b"@") else found["path"]
    text = address.decode("utf-8", "replace").lower()
    return Path(text, _parse_size(parameters["SIZE"]) if "SIZE" in parameters else 0)


def _check_lengths(found: re.Match[bytes]) -> None:
    if len(found["path"]) > MAX_PATH_BYTES:
        raise CommandError(Problem.TOO_LONG)
    if len(found["local"] or b"") > MAX_LOCAL_BYTES or len(found["domain"] or b"") > MAX_DOMAIN_BYTES:
        raise CommandError(Problem.TOO_LONG)


def _parse_parameters(verb: str, words: list[bytes], extensions: frozenset[str]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for word in words:
        name, _, value = word.decode("utf-8", "replace").partition("=")
        name = name.upper()
        extension = _EXTENSION_BY_PARAMETER[verb].get(name)
        if extension is None or extension not in extensions:
            raise CommandError(Problem.UNKNOWN_PARAMETER)
        if name in parameters or _ENCODED_CONTROL.search(word):
            raise CommandError(Problem.BAD_PARAMETER)
        if name == "BODY" and value.upper() not in ("7BIT", "8BITMIME"):
            raise CommandError(Problem.UNKNOWN_PARAMETER)
        parameters[name] = value
    return parameters


def _parse_size(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise CommandError(Problem.BAD_PARAMETER)
    return int(text)
