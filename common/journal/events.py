"""How a program declares the events of its journal: name, severity, meaning, fields.

A program has its own class of events, and shares those of `services.base.events`. docs/events.md is
generated from them.
"""

from dataclasses import dataclass, replace
from enum import Enum, StrEnum

COMMON_FIELDS = ("time", "severity", "event", "program", "instance")


class Severity(StrEnum):
    """The terms of syslog."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"
    INFO = "info"

    @property
    def number(self) -> int:
        """Return syslog's number (RFC 5424, 6.2.1)."""
        return {Severity.ERROR: 3, Severity.WARNING: 4, Severity.NOTICE: 5, Severity.INFO: 6}[self]


class FieldKind(Enum):
    """What a field holds: the word for it in the documentation, and its possible Python types."""

    TEXT = "string", (str,)
    INTEGER = "integer", (int,)
    NUMBER = "number", (int, float)
    FLAG = "boolean", (bool,)
    TEXTS = "list of strings", (list, tuple)
    INTEGERS = "list of integers", (list, tuple)

    def __init__(self, word: str, types: tuple[type, ...]) -> None:
        self.word, self.types = word, types

    def fits(self, value: object) -> bool:
        if isinstance(value, bool):
            return self is FieldKind.FLAG
        return isinstance(value, self.types)


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: FieldKind
    meaning: str
    is_required: bool = True

    @property
    def optional(self) -> "Field":
        """Return the same field, which may be missing or null."""
        return replace(self, is_required=False)

    def fits(self, value: object) -> bool:
        return (value is None and not self.is_required) or self.kind.fits(value)


def text(name: str, meaning: str) -> Field:
    return Field(name, FieldKind.TEXT, meaning)


def texts(name: str, meaning: str) -> Field:
    return Field(name, FieldKind.TEXTS, meaning)


def integer(name: str, meaning: str) -> Field:
    return Field(name, FieldKind.INTEGER, meaning)


def integers(name: str, meaning: str) -> Field:
    return Field(name, FieldKind.INTEGERS, meaning)


def number(name: str, meaning: str) -> Field:
    return Field(name, FieldKind.NUMBER, meaning)


def flag(name: str, meaning: str) -> Field:
    return Field(name, FieldKind.FLAG, meaning)


@dataclass(frozen=True, slots=True)
class EventKind:
    """The declaration of one event. `is_urgent`: the line is on disk before the program goes on."""

    name: str
    severity: Severity
    meaning: str
    fields: tuple[Field, ...]
    is_urgent: bool = False

    @property
    def urgent(self) -> "EventKind":
        return replace(self, is_urgent=True)


def error(name: str, meaning: str, *fields: Field) -> EventKind:
    return EventKind(name, Severity.ERROR, meaning, fields)


def warning(name: str, meaning: str, *fields: Field) -> EventKind:
    return EventKind(name, Severity.WARNING, meaning, fields)


def notice(name: str, meaning: str, *fields: Field) -> EventKind:
    return EventKind(name, Severity.NOTICE, meaning, fields)


def info(name: str, meaning: str, *fields: Field) -> EventKind:
    return EventKind(name, Severity.INFO, meaning, fields)


class Event(Enum):
    """The base of all catalogues. A member's value is its `EventKind`; a class's docstring is its heading."""

    def __init__(self, kind: EventKind) -> None:
        self.kind = kind
        self.is_urgent = kind.is_urgent
        # The constant part of each line, encoded once.
        self.head = f'"severity": "{kind.severity}", "event": "{kind.name}"'

    def __str__(self) -> str:
        return self.kind.name

    __hash__ = object.__hash__  # members are equal only to themselves; the method of Enum is slow


REASON = text("reason", "the reason, in plain text")
REMEDY = text("remedy", "what to do about it")
COUNT = integer("count", "how many")


class JournalEvent(Event):
    """Events of the journal itself, in any program."""

    LINES_LOST = error(
        "LinesLost",
        "Lines of the journal could not be written and are lost. The journal can be written again.",
        COUNT,
    )
    JOURNAL_WRONG = error(
        "JournalWrong", "A line does not match the catalogue of events. Only tests check that.", REASON
    )
