"""The elements of a grammar. The reader, the JSON Schema and the reference page are made from a grammar.

Each kind of file has its grammar in its own module: `controller.policy.grammar` and so on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from common.config.kinds import NAME, Kind
from common.config.nodes import Limits


@dataclass(frozen=True, eq=False)
class Key:
    """One key of a record: what it holds, and what it means.

    `default` is the value of an absent key, written as in the file: a scalar's text, or YAML. An absent key
    without a default has no value, and `otherwise` says what that means. `field` is the key's name in the
    record's type, if it differs.
    """

    type: "Type"
    means: str
    is_required: bool = False
    default: str | None = None
    otherwise: str = ""
    field: str = ""


@dataclass(frozen=True, eq=False)
class Record:
    """A mapping with declared keys, and the type that their values make up.

    `name` is the field of that type for the record's key in a mapping.
    """

    keys: Mapping[str, Key]
    into: Callable[..., object] = dict
    name: str = ""


@dataclass(frozen=True)
class Variants:
    """One of several records: the word under one key, which all of them have, selects the record."""

    by: str
    records: tuple[Record, ...]

    def find(self, word: str) -> Record | None:
        return next((record for record in self.records if word in self.words_of(record)), None)

    def words_of(self, record: Record) -> tuple[str, ...]:
        kind = record.keys[self.by].type
        return kind.words if isinstance(kind, Kind) else ()

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(word for record in self.records for word in self.words_of(record))


@dataclass(frozen=True)
class ListOf:
    item: "Type"
    at_least: int = 0
    at_most: int | None = None
    is_distinct: bool = True  # of scalars: none may be listed twice
    is_set: bool = False  # its order means nothing: the values are sorted


@dataclass(frozen=True)
class PairOf:
    """A list of exactly two scalars."""

    first: Kind
    second: Kind


@dataclass(frozen=True)
class MapOf:
    """A mapping from the operator's own names to values; `label` stands for the name in paths."""

    item: "Type"
    at_least: int = 0
    at_most: int | None = None
    names: Kind = NAME
    label: str = "NAME"


@dataclass(frozen=True)
class WordOr:
    """One word or other scalar, or the value written out."""

    word: Kind
    other: "Type"


Type = Kind | Record | Variants | ListOf | PairOf | MapOf | WordOr


@dataclass(frozen=True)
class Document:
    """A kind of file: its name in errors, its title, its keys. The first key holds the format's number."""

    noun: str
    title: str
    record: Record
    limits: Limits

    @property
    def marker(self) -> str:
        return next(iter(self.record.keys))


def records_within(wanted: Type) -> tuple[Record, ...]:
    """Return the records that a value of this type may hold."""
    match wanted:
        case Kind() | PairOf():
            return ()
        case Record():
            return (wanted,)
        case Variants():
            return wanted.records
        case WordOr():
            return records_within(wanted.other)
        case ListOf() | MapOf():
            return records_within(wanted.item)
