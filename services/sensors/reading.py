"""Strict reading of a YAML file that a person writes: every error has file, line, key and remedy.

Knows no setting. Aliases, tags, duplicate and unknown keys are refused; values stay the text that was
written until somebody asks for a number, a time or a size.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import yaml

from services.base.settings import SettingsError

_LARGEST_BYTES = 1024 * 1024
_DEEPEST = 10
_SECONDS_BY_UNIT = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_BYTES_BY_UNIT = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Item:
    """One value, and where it stands."""

    node: yaml.Node
    file: str
    key: str

    def fail(self, message: str, remedy: str) -> SettingsError:
        mark = self.node.start_mark
        line = mark.line + 1 if mark else 1
        return SettingsError(f"{self.file}:{line}: {self.key or 'settings'}: {message}; remedy: {remedy}")

    @property
    def is_scalar(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode)

    def text(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.fail("a single value is wanted", "write one word or number")
        return str(self.node.value)

    def one_of(self, *allowed: str) -> str:
        if (text := self.text()) not in allowed:
            raise self.fail(f"{text!r:.60} is unknown", f"one of {', '.join(allowed)}")
        return text

    def flag(self) -> bool:
        return self.one_of("true", "false") == "true"

    def number(self, low: float, high: float) -> float:
        try:
            value = float(self.text())
        except ValueError:
            raise self.fail(f"{self.text()!r:.60} is no number", "write a number") from None
        if not low <= value <= high:
            raise self.fail(f"{value:g} is outside {low:g}..{high:g}", "choose one inside")
        return value

    def share(self) -> float:
        """Return 0.5 for `50%`."""
        found = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", self.text())
        if not found or float(found[1]) > 100:
            raise self.fail(f"{self.text()!r:.60} is no share", "write a percentage such as 50%")
        return float(found[1]) / 100

    def seconds(self, low: float, high: float) -> float:
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)([smhd])", self.text())
        if not found:
            raise self.fail(f"{self.text()!r:.60} is no time", "write 30s, 10m, 12h or 7d")
        value = float(found[1]) * _SECONDS_BY_UNIT[found[2]]
        if not low <= value <= high:
            raise self.fail(f"{self.text()} is outside {low:g}..{high:g} s", "choose one inside")
        return value

    def size(self, low: int, high: int) -> int:
        found = re.fullmatch(r"(\d{1,12})([KMG]?)", self.text())
        if not found or not low <= (value := int(found[1]) * _BYTES_BY_UNIT[found[2]]) <= high:
            raise self.fail(f"{self.text()!r:.60} is no size in {low}..{high}", "write 500K or 16M")
        return value

    def items(self, most: int) -> "list[Item]":
        if not isinstance(self.node, yaml.SequenceNode) or len(self.node.value) > most:
            raise self.fail(f"a list of at most {most} is wanted", "write [one, two]")
        return [Item(each, self.file, f"{self.key}[{n}]") for n, each in enumerate(self.node.value)]

    def record(self) -> "Record":
        if not isinstance(self.node, yaml.MappingNode):
            raise self.fail("keys with values are wanted", "write `key: value` lines below it")
        values: dict[str, Item] = {}
        for key_node, value_node in self.node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise Item(key_node, self.file, self.key).fail("a key must be plain text", "name it")
            name = str(key_node.value)
            item = Item(value_node, self.file, f"{self.key}.{name}" if self.key else name)
            if name in values:
                raise Item(key_node, self.file, item.key).fail("given a second time", "keep one of them")
            values[name] = item
        return Record(self, values)


@dataclass
class Record:
    """Keys that are taken one by one; `close` refuses what nobody took."""

    place: Item
    values: dict[str, Item]
    _known: list[str] = field(default_factory=list)

    def find(self, key: str) -> Item | None:
        self._known.append(key)
        return self.values.get(key)

    def need(self, key: str) -> Item:
        if (item := self.find(key)) is None:
            raise self.place.fail(f"{key} is missing", f"add `{key}:`")
        return item

    def take(self, key: str, read: Callable[[Item], _Value], default: _Value) -> _Value:
        return default if (item := self.find(key)) is None else read(item)

    def close(self) -> None:
        for name, item in self.values.items():
            if name not in self._known:
                raise item.fail("the key is unknown", f"one of {', '.join(sorted(self._known))}")


def read_top(text: str, file: str) -> Record:
    """Return the keys of the whole file. Raise `SettingsError`."""
    if len(text) > _LARGEST_BYTES:
        raise SettingsError(f"{file}:1: settings: larger than {_LARGEST_BYTES} bytes; remedy: shorten it")
    try:
        _refuse_tricks(text, file)
        node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        why = getattr(error, "problem", None) or "not YAML"
        raise SettingsError(f"{file}:{line}: settings: {why}; remedy: mend the line") from error
    if node is None:
        raise SettingsError(f"{file}:1: settings: the file is empty; remedy: see docs/sensors.md")
    return Item(node, file, "").record()


def _refuse_tricks(text: str, file: str) -> None:
    """Look at the events first: aliases and depth must be known before a tree is built."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        mark = event.start_mark
        where = f"{file}:{mark.line + 1 if mark else 1}: settings"
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise SettingsError(f"{where}: anchors and aliases are not taken; remedy: write the value out")
        if getattr(event, "tag", None):
            raise SettingsError(f"{where}: tags are not taken; remedy: remove the `!tag`")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise SettingsError(f"{where}: nested deeper than {_DEEPEST} levels; remedy: flatten it")
