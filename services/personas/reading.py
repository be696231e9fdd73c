"""Keys of one YAML mapping, read one by one: good values out, errors collected, strangers told at the end."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from services.personas import nodes
from services.personas.errors import Errors, Place, quoted

T = TypeVar("T")
_MOST_ITEMS = 500
_LONGEST_LINE = 2_000
_LONGEST_TEXT = 256 * 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_BUT_BREAKS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Fields:
    """Never raises on a bad value: it notes what is wrong, and goes on with the default."""

    def __init__(self, node: nodes.Node, path: str, errors: Errors) -> None:
        self.place, self.path, self.errors = node.place, path, errors
        self._entries: dict[str, tuple[nodes.Scalar, nodes.Node]] = {}
        self._asked: list[str] = []
        if isinstance(node, nodes.Mapping):
            self._entries = {key.text: (key, value) for key, value in node.entries}
        else:
            self.note("", "a mapping of keys is wanted", "write keys, each with a colon and a value")

    def note(self, key: str, message: str, remedy: str, place: Place | None = None) -> None:
        node = self._entries.get(key)
        self.errors.note(place or (node[1].place if node else self.place), self.at(key), message, remedy)

    def at(self, key: str) -> str:
        return ".".join(filter(None, (self.path, key))) or "persona"

    def has(self, key: str) -> bool:
        return key in self._entries

    def node(self, key: str) -> nodes.Node | None:
        entry = self._entries.get(key)
        return entry[1] if entry else None

    def finish(self) -> None:
        """Note every key that nobody asked for."""
        for name, (key, _) in self._entries.items():
            if name in self._asked:
                continue
            close = difflib.get_close_matches(name, self._asked, 1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            remedy = f"use one of {', '.join(self._asked)}{hint}"
            self.errors.note(key.place, self.at(quoted(name)[1:-1]), "unknown key", remedy)

    def line(self, key: str, default: str | None = None) -> str:
        """Return a text of one line; without a default it must be there."""
        return self._text(key, default, _CONTROL, _LONGEST_LINE)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text that may have several lines."""
        return self._text(key, default, _CONTROL_BUT_BREAKS, _LONGEST_TEXT)

    def number(self, key: str, low: int, high: int, default: int | None = None) -> int:
        text = self.line(key, None if default is None else str(default))
        return self.as_number(key, text, low, high) if text else default or low

    def as_number(self, key: str, text: str, low: int, high: int, place: Place | None = None) -> int:
        if not re.fullmatch(r"0|[1-9][0-9]{0,9}", text) or not low <= int(text) <= high:
            message = f"{quoted(text)} is no number from {low} to {high}"
            self.note(key, message, "write it in plain digits", place)
            return low
        return int(text)

    def flag(self, key: str, default: bool) -> bool:
        return self.one_of(key, ("true", "false"), "true" if default else "false") == "true"

    def one_of(self, key: str, allowed: Iterable[str], default: str | None = None) -> str:
        words = tuple(allowed)
        text = self.line(key, default)
        if text not in words:
            if self.has(key):
                self.note(key, f"unknown word {quoted(text)}", f"use one of {', '.join(words)}")
            return default or words[0]
        return text

    def lines(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return a list of texts of one line each."""
        found = tuple(self._plain(key, item, _CONTROL, _LONGEST_LINE) for item in self._items(key, default))
        return found if self.has(key) else default or ()

    def pairs(self, key: str, default: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        """Return a list of [name, value]."""
        found = []
        for item in self._items(key, ()):
            if isinstance(item, nodes.Sequence) and len(item.items) == 2:
                name, value = (self._plain(key, each, _CONTROL, _LONGEST_LINE) for each in item.items)
                found.append((name, value))
            else:
                self.note(key, "a pair is wanted", "write [name, value]", item.place)
        return tuple(found) if self.has(key) else default

    def child(self, key: str) -> "Fields | None":
        """Return the mapping under a key, if it is there."""
        self._asked.append(key)
        entry = self._entries.get(key)
        return Fields(entry[1], self.at(key), self.errors) if entry else None

    def children(self, key: str, read: "Callable[[str, Fields], T]") -> dict[str, T]:
        """Return what each entry of a mapping of mappings is read as."""
        fields = self.child(key)
        return {name: read(name, inner) for name, inner in fields.each()} if fields else {}

    def each(self) -> "list[tuple[str, Fields]]":
        """Return every entry, whatever its name, as a mapping."""
        self._check_count("", len(self._entries))
        self._asked.extend(self._entries)
        return [
            (name, Fields(value, self.at(quoted(name)[1:-1]), self.errors))
            for name, (_, value) in self._entries.items()
        ]

    def names(self) -> tuple[tuple[str, Place], ...]:
        """Return the keys, with their places."""
        return tuple((name, key.place) for name, (key, _) in self._entries.items())

    def texts_by_name(self, key: str) -> dict[str, str]:
        fields = self.child(key)
        return {name: fields.text(name) for name, _ in fields.names()} if fields else {}

    def lines_by_name(self, key: str) -> dict[str, tuple[str, ...]]:
        fields = self.child(key)
        return {name: fields.lines(name) for name, _ in fields.names()} if fields else {}

    def known_texts(self, key: str, defaults: Mapping[str, str]) -> dict[str, str]:
        """Return texts by name; only names of the defaults are known."""
        fields = self.child(key)
        if fields is None:
            return dict(defaults)
        found = {name: fields.text(name, default) for name, default in defaults.items()}
        fields.finish()
        return found

    def _text(self, key: str, default: str | None, refused: re.Pattern[str], longest: int) -> str:
        self._asked.append(key)
        entry = self._entries.get(key)
        if entry is None:
            if default is None:
                self.note(key, "is missing", f"add `{key}:`")
            return default or ""
        return self._plain(key, entry[1], refused, longest)

    def _plain(self, key: str, node: nodes.Node, refused: re.Pattern[str], longest: int) -> str:
        if not isinstance(node, nodes.Scalar):
            self.note(key, "a plain text is wanted", "write one value, in quotes if need be", node.place)
            return ""
        if len(node.text) > longest:
            self.note(key, f"is longer than {longest} characters", "shorten it", node.place)
            return ""
        if found := refused.search(node.text):
            message = f"holds the control character {quoted(found[0])}"
            self.note(key, message, "remove it; lines are ended by the decoy itself", node.place)
            return ""
        return node.text

    def _items(self, key: str, default: tuple[str, ...] | None) -> tuple[nodes.Node, ...]:
        self._asked.append(key)
        entry = self._entries.get(key)
        if entry is None:
            if default is None:
                self.note(key, "is missing", f"add `{key}: [...]`")
            return ()
        if not isinstance(entry[1], nodes.Sequence):
            self.note(key, "a list is wanted", "write [one, two]")
            return ()
        self._check_count(key, len(entry[1].items))
        return entry[1].items[:_MOST_ITEMS]

    def _check_count(self, key: str, count: int) -> None:
        if count > _MOST_ITEMS:
            self.note(key, f"holds more than {_MOST_ITEMS} entries", "leave some out")
