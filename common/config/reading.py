"""Reads nodes by a grammar: valid values, mistakes, and the places of both."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from common.config.errors import quoted, safe
from common.config.grammar import Document, Key, ListOf, MapOf, PairOf, Record, Type, Variants, WordOr
from common.config.kinds import Kind, Wrong, suggestion
from common.config.nodes import Limits, Mapping, Node, Refused, Scalar, Sequence, read_nodes
from common.config.report import ErrorReport

_DEFAULT_LIMITS = Limits(100_000, 4)


@dataclass
class Fields:
    """A record that was read: valid values by key. `is_whole` is false if anything in it was wrong."""

    record: Record
    path: str
    values: dict[str, Any] = field(default_factory=dict)
    name: Any = None  # its key in a mapping
    is_whole: bool = True

    def get(self, key: str, otherwise: Any = None) -> Any:
        return self.values.get(key, otherwise)

    def has(self, *keys: str) -> bool:
        return all(key in self.values for key in keys)

    def __getitem__(self, key: str) -> Any:
        return self.values[key]


def read_document(text: str, file: str, document: Document) -> tuple[Fields, ErrorReport]:
    """Return what could be read, and the mistakes. Raise `ConfigErrors` if there is no tree at all."""
    report = ErrorReport(file, document.noun)
    root = read_nodes(text, report, document.limits)
    if root is None:
        report.fail(report.top, "", "is empty", f"begin with `{document.marker}: 1`")
    fields = _Reader(report).record(root, document.record, "")
    return fields, report


class _Bad:
    """Marks a value that could not be read."""


_BAD = _Bad()


@cache
def _default_of(key: Key) -> Any:
    """Return the value of an absent key: its default, read as if it were in the file."""
    report = ErrorReport("default", key.means)
    text = key.default or ""
    node: Node | None = Scalar(report.top, text, is_quoted=False)
    if not isinstance(key.type, Kind) and text[:1] in "[{":
        node = read_nodes(text, report, _DEFAULT_LIMITS)
    assert node is not None
    value = _Reader(report).value(node, key.type, "")
    report.raise_any()
    return value


class _Reader:
    """Notes mistakes and places in the report while reading; raises only if there are too many."""

    def __init__(self, report: ErrorReport) -> None:
        self._report = report

    def record(self, node: Node, record: Record, path: str) -> Fields:
        fields = Fields(record, path)
        self._report.places[path or self._report.noun] = node.place
        if not isinstance(node, Mapping):
            self._expected(node, path, "a mapping of keys", f"write keys such as {next(iter(record.keys))}:")
            fields.is_whole = False
            return fields
        for key_node, value_node in node.entries:
            self._key(fields, record, key_node, value_node)
        given = {entry.text for entry, _ in node.entries}
        for name, key in record.keys.items():
            if name not in given:
                self._absent(fields, node, name, key)
        return fields

    def value(self, node: Node, wanted: Type, path: str) -> Any:
        if isinstance(node, Refused):
            return _BAD  # already refused
        match wanted:
            case Kind():
                return self._scalar(node, wanted, path)
            case Record():
                return self.record(node, wanted, path)
            case Variants():
                return self._variant(node, wanted, path)
            case ListOf():
                return self._list(node, wanted, path)
            case PairOf():
                return self._pair(node, wanted, path)
            case MapOf():
                return self._map(node, wanted, path)
            case WordOr():
                return self.value(node, wanted.word if isinstance(node, Scalar) else wanted.other, path)

    def _key(self, fields: Fields, record: Record, key_node: Scalar, value_node: Node) -> None:
        name = key_node.text
        key = record.keys.get(name)
        if key is None:
            known = list(record.keys)
            remedy = f"use one of {', '.join(known)}{suggestion(name, known)}"
            self._report.note(key_node.place, _join(fields.path, safe(name)), "unknown key", remedy)
            fields.is_whole = False
            return
        path = _join(fields.path, name)
        value = self.value(value_node, key.type, path)
        if value is _BAD:
            fields.is_whole = False
            return
        fields.values[name] = value
        self._report.places[path] = (value_node if isinstance(value_node, Scalar) else key_node).place

    def _absent(self, fields: Fields, node: Node, name: str, key: Key) -> None:
        if key.is_required:
            fields.is_whole = False
            remedy = f"add `{name}:` ({key.means})"
            self._report.note(node.place, _join(fields.path, name), "is missing", remedy)
        elif key.default is not None:
            fields.values[name] = _default_of(key)

    def _scalar(self, node: Node, kind: Kind, path: str) -> Any:
        if not isinstance(node, Scalar):
            return self._expected(node, path, kind.name, "write one value")
        try:
            return kind.read(node.text)
        except Wrong as wrong:
            self._report.note(node.place, path, wrong.message, wrong.remedy)
            return _BAD

    def _variant(self, node: Node, wanted: Variants, path: str) -> Any:
        entries = node.entries if isinstance(node, Mapping) else ()
        deciding = next((value for key, value in entries if key.text == wanted.by), None)
        if isinstance(deciding, Scalar) and (record := wanted.find(deciding.text)):
            return self.record(node, record, path)
        inside = _join(path, wanted.by)
        remedy = f"write one of {', '.join(wanted.words)}"
        if deciding is None and isinstance(node, Mapping):
            self._report.note(node.place, inside, "is missing", remedy)
        elif isinstance(deciding, Scalar):
            message = f"{quoted(deciding.text)} is not a valid value"
            self._report.note(
                deciding.place, inside, message, remedy + suggestion(deciding.text, wanted.words)
            )
        elif deciding is None:
            self._expected(node, path, "a mapping of keys", f"write keys such as {wanted.by}:")
        else:
            self._expected(deciding, inside, "one word", remedy)
        return _BAD

    def _list(self, node: Node, wanted: ListOf, path: str) -> Any:
        if not isinstance(node, Sequence):
            return self._expected(node, path, "a list", "put it in brackets: [a, b]")
        if not self._is_count_good(node, len(node.items), wanted, path):
            return _BAD
        errors_before = len(self._report.errors)
        values: list[Any] = []
        seen: set[Any] = set()
        for number, item in enumerate(node.items, 1):
            value = self.value(item, wanted.item, f"{path}.{number}")
            if isinstance(wanted.item, Kind) and value is not _BAD:
                if wanted.is_distinct and value in seen:
                    self._report.note(item.place, f"{path}.{value}", "is listed twice", "remove one of them")
                    value = _BAD
                seen.add(value)
                self._report.places.setdefault(f"{path}.{value}", item.place)
            values.append(value)
        is_good = len(self._report.errors) == errors_before and not any(value is _BAD for value in values)
        if not is_good:
            return _BAD
        return tuple(sorted(values, key=_order) if wanted.is_set else values)

    def _pair(self, node: Node, wanted: PairOf, path: str) -> Any:
        if not isinstance(node, Sequence) or len(node.items) != 2:
            return self._expected(node, path, "a pair", "write [name, value]")
        first, second = node.items
        pair = self.value(first, wanted.first, f"{path}.1"), self.value(second, wanted.second, f"{path}.2")
        return _BAD if _BAD in pair else pair

    def _map(self, node: Node, wanted: MapOf, path: str) -> Any:
        if not isinstance(node, Mapping):
            return self._expected(node, path, "a mapping from names", "write a name, a colon, and its value")
        if not self._is_count_good(node, len(node.entries), wanted, path):
            return _BAD
        values: dict[Any, Any] = {}
        for name, key, value_node in self._named(node, wanted, path):
            inside = _join(path, safe(key.text))
            value = self.value(value_node, wanted.item, inside)
            if value is not _BAD:
                values[name] = value
                if isinstance(value, Fields):
                    value.name = name
                self._report.places.setdefault(inside, key.place)
        return values

    def _named(self, node: Mapping, wanted: MapOf, path: str) -> Iterator[tuple[Any, Scalar, Node]]:
        for key, value in node.entries:
            try:
                yield wanted.names.read(key.text), key, value
            except Wrong as wrong:
                self._report.note(key.place, _join(path, safe(key.text)), wrong.message, wrong.remedy)

    def _is_count_good(self, node: Node, count: int, wanted: ListOf | MapOf, path: str) -> bool:
        if count < wanted.at_least:
            self._report.note(node.place, path, "is empty", "give at least one")
            return False
        if wanted.at_most is not None and count > wanted.at_most:
            message = f"has {count} entries; the maximum is {wanted.at_most}"
            self._report.note(node.place, path, message, "remove some of them")
            return False
        return True

    def _expected(self, node: Node, path: str, wanted: str, remedy: str) -> _Bad:
        match node:
            case Scalar(_, text, _):
                found = quoted(text) if text else "nothing"
            case Sequence():
                found = "a list"
            case Mapping():
                found = "a mapping"
            case Refused():
                return _BAD  # already refused
        self._report.note(node.place, path, f"holds {found} where {wanted} is expected", remedy)
        return _BAD


def _order(value: Any) -> tuple[int, Any]:
    """IPv4 before IPv6, which cannot be compared."""
    return getattr(value, "version", 0), value


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
