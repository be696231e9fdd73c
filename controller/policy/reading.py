"""Nodes against the grammar: values where they are good, errors where they are not, places of both."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from controller.errors import PolicyError, note, quoted
from controller.policy import kinds
from controller.policy.grammar import Key, ListOf, MapOf, Record, Type, WordOr
from controller.policy.kinds import Kind, Wrong, suggestion
from controller.policy.model import Place
from controller.policy.nodes import Mapping, Node, Scalar, Sequence


@dataclass
class Fields:
    """A record that was read: good values by key. `is_whole` is false when anything in it was wrong."""

    path: str
    place: Place
    values: dict[str, Any] = field(default_factory=dict)
    is_whole: bool = True

    def get(self, key: str, otherwise: Any = None) -> Any:
        return self.values.get(key, otherwise)

    def __getitem__(self, key: str) -> Any:
        return self.values[key]


class _Bad:
    """Marks a value that could not be read."""


_BAD = _Bad()


class Reader:
    """Collects errors and places while it reads; never raises on a bad policy."""

    def __init__(self) -> None:
        self.errors: list[PolicyError] = []
        self.places: dict[str, Place] = {}

    def record(self, node: Node, record: Record, path: str) -> Fields:
        fields = Fields(path, node.place)
        self.places[path or "policy"] = node.place
        if not isinstance(node, Mapping):
            self._expected(node, path, "a mapping of keys", f"write keys such as {next(iter(record.keys))}:")
            fields.is_whole = False
            return fields
        for key_node, value_node in node.entries:
            self._key(fields, record, key_node, value_node)
        for name, key in record.keys.items():
            if key.is_required and name not in {entry.text for entry, _ in node.entries}:
                fields.is_whole = False
                self.error(node.place, _join(path, name), "is missing", f"add `{name}:` ({key.means})")
        return fields

    def error(self, place: Place, key: str, message: str, remedy: str) -> None:
        note(self.errors, PolicyError(place, key or "policy", message, remedy))

    def _key(self, fields: Fields, record: Record, key_node: Scalar, value_node: Node) -> None:
        name = key_node.text
        key: Key | None = record.keys.get(name)
        if key is None:
            known = list(record.keys)
            remedy = f"use one of {', '.join(known)}{suggestion(name, known)}"
            self.error(key_node.place, _join(fields.path, _safe(name)), "unknown key", remedy)
            fields.is_whole = False
            return
        path = _join(fields.path, name)
        value = self._value(value_node, key.type, path)
        if isinstance(value, _Bad):
            fields.is_whole = False
            return
        fields.values[name] = value
        self.places[path] = value_node.place if isinstance(value_node, Scalar) else key_node.place

    def _value(self, node: Node, wanted: Type, path: str) -> Any:
        match wanted:
            case Kind():
                return self._scalar(node, wanted, path)
            case Record():
                return self.record(node, wanted, path)
            case ListOf():
                return self._list(node, wanted, path)
            case MapOf():
                return self._map(node, wanted, path)
            case WordOr():
                is_word = isinstance(node, Scalar)
                return self._value(node, wanted.word if is_word else wanted.record, path)

    def _scalar(self, node: Node, kind: Kind, path: str) -> Any:
        if not isinstance(node, Scalar):
            self._expected(node, path, kind.name, "write one value")
            return _BAD
        try:
            return kind.read(node.text)
        except Wrong as wrong:
            self.error(node.place, path, wrong.message, wrong.remedy)
            return _BAD

    def _list(self, node: Node, wanted: ListOf, path: str) -> Any:
        if not isinstance(node, Sequence):
            self._expected(node, path, "a list", "put it in brackets: [a, b]")
            return _BAD
        errors_before = len(self.errors)
        values: list[Any] = []
        seen: set[Any] = set()
        for number, item in enumerate(node.items, 1):
            value = self._value(item, wanted.item, f"{path}.{number}")
            if isinstance(value, _Bad):
                continue
            if isinstance(wanted.item, Kind):
                if value in seen:
                    self.error(item.place, f"{path}.{value}", "is listed twice", "remove one of them")
                    continue
                seen.add(value)
                self.places[f"{path}.{value}"] = item.place
            values.append(value)
        if len(node.items) < wanted.at_least:
            self.error(node.place, path, "is empty", "list at least one")
        return values if len(self.errors) == errors_before else _BAD

    def _map(self, node: Node, wanted: MapOf, path: str) -> Any:
        if not isinstance(node, Mapping):
            self._expected(node, path, "a mapping from names", "write a name, a colon, and what it has")
            return _BAD
        if len(node.entries) < wanted.at_least:
            self.error(node.place, path, "is empty", "name at least one")
            return _BAD
        if wanted.at_most is not None and len(node.entries) > wanted.at_most:
            message = f"names {len(node.entries)}, and {wanted.at_most} are the most"
            self.error(node.place, path, message, "divide them between two")
            return _BAD
        records = {
            name: self.record(value, wanted.item, _join(path, name))
            for name, value in self._named(node, path)
        }
        return records

    def _named(self, node: Mapping, path: str) -> Iterator[tuple[str, Node]]:
        for key, value in node.entries:
            try:
                yield kinds.NAME.read(key.text), value
            except Wrong as wrong:
                self.error(key.place, _join(path, _safe(key.text)), wrong.message, wrong.remedy)

    def _expected(self, node: Node, path: str, wanted: str, remedy: str) -> None:
        match node:
            case Scalar(_, text, _):
                found = quoted(text) if text else "nothing"
            case Sequence():
                found = "a list"
            case Mapping():
                found = "a mapping"
        self.error(node.place, path, f"holds {found}, where {wanted} is wanted", remedy)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _safe(text: str) -> str:
    return quoted(text)[1:-1]
