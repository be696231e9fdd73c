"""YAML text to a tree of nodes with their places. Values stay text, and no type is guessed.

Refuses features of YAML that a settings file never needs: aliases, tags, several
documents, duplicate keys, great depth or size. `no`, `02:50:00:00:00:01` and `1e3`
stay the text that was written. An alias is not followed, so a small file never
becomes a large tree.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml
from yaml.reader import ReaderError

from common.config.errors import Place, place_after, quoted, safe
from common.config.report import ErrorReport

_LONE_SURROGATE = re.compile(
    "[\ud800-\udfff]"
)  # never in a UTF-8 file, but possible in the text of a JSON body
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest file of a kind, and its deepest nesting in levels."""

    size_bytes: int
    depth: int


@dataclass(frozen=True, slots=True)
class Scalar:
    place: Place
    text: str
    is_quoted: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    place: Place
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Mapping:
    place: Place
    entries: "tuple[tuple[Scalar, Node], ...]"


@dataclass(frozen=True, slots=True)
class Refused:
    """Replaces a refused alias or tag, so that the rest of the file is still read."""

    place: Place


Node = Scalar | Sequence | Mapping | Refused


def read_nodes(text: str, report: ErrorReport, limits: Limits) -> Node | None:
    """Return the tree, or None for an empty file. Raise `ConfigErrors` if there is no tree to return."""
    file = report.top.file
    if found := _LONE_SURROGATE.search(text):
        message = f"{quoted(found[0])} is half of a surrogate pair"
        place = place_after(file, text[: found.start()])
        report.fail(place, "", message, "write the whole character, or remove it")
    if len(text.encode()) > limits.size_bytes:
        fail_too_large(report, limits)
    try:
        parser = _Loader(text)
        try:
            return _Builder(parser, report, limits).document()
        finally:
            parser.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else report.top
        problem = error.problem or "not YAML"
    except ReaderError as error:  # its position counts bytes
        place = place_after(file, text.encode()[: error.position].decode(errors="ignore"))
        problem = str(error.reason)
    report.fail(place, "", f"not valid YAML: {problem}", "correct the line; indent with spaces")


def fail_too_large(report: ErrorReport, limits: Limits) -> NoReturn:
    """Raise `ConfigErrors`: the file is larger than its kind may be."""
    report.fail(report.top, "", f"file is larger than {limits.size_bytes} bytes", "shorten or split it")


class _Builder:
    """Builds the tree from the parser's events; knows the path of the current node."""

    def __init__(self, parser: Any, report: ErrorReport, limits: Limits) -> None:
        self._next: Callable[[], yaml.Event | None] = parser.get_event  # None: there are no more
        self._report, self._limits = report, limits
        self._file = report.top.file
        self._path: list[str] = []
        self._depth = 0

    def document(self) -> Node | None:
        tree: Node | None = None
        while event := self._next():
            if isinstance(event, yaml.DocumentStartEvent):
                if tree is not None:
                    self._report.fail(
                        self._place(event), "", "a second document begins here", "keep one document in a file"
                    )
                tree = self._node(self._next())
        return tree

    def _node(self, event: yaml.Event | None) -> Node:
        assert event is not None  # the parser raises an error, or ends what it has begun
        place = self._place(event)
        if isinstance(event, yaml.AliasEvent):
            self._refuse_anchor(place)
            return Refused(place)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        if event.anchor:
            self._refuse_anchor(place)
        node = self._content(event, place)
        if event.tag:
            self._note(place, "tags are not accepted", "remove the `!tag`")
            return Refused(place)
        return node

    def _refuse_anchor(self, place: Place) -> None:
        self._note(place, "anchors and aliases are not accepted", "write the value in full")

    def _content(self, event: yaml.Event, place: Place) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(place, event.value, bool(event.style))  # libyaml: plain style is ""
        self._depth += 1
        if self._depth > self._limits.depth:
            message = f"nested deeper than {self._limits.depth} levels"
            self._report.fail(place, "", message, "use fewer levels; none of these files needs more")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        node = Mapping(place, self._entries()) if is_mapping else Sequence(place, self._items())
        self._depth -= 1
        return node

    def _items(self) -> tuple[Node, ...]:
        items: list[Node] = []
        while not isinstance(event := self._next(), yaml.CollectionEndEvent):
            items.append(self._at(str(len(items) + 1), event))
        return tuple(items)

    def _entries(self) -> tuple[tuple[Scalar, Node], ...]:
        entries: list[tuple[Scalar, Node]] = []
        first_by_key: dict[str, Place] = {}
        while not isinstance(event := self._next(), yaml.CollectionEndEvent):
            key = self._node(event)
            if not isinstance(key, Scalar):
                self._note(key.place, "a key must be plain text", "use one word as the key")
                self._at("?", self._next())
                continue
            value = self._at(key.text, self._next())
            first = first_by_key.setdefault(key.text, key.place)
            if first is key.place:
                entries.append((key, value))
            else:
                self._note(key.place, f"is a duplicate key (first on line {first.line})", "keep one of them",
                           key.text)  # fmt: skip
        return tuple(entries)

    def _at(self, step: str, event: yaml.Event | None) -> Node:
        self._path.append(step)
        node = self._node(event)
        self._path.pop()
        return node

    def _note(self, place: Place, message: str, remedy: str, *more: str) -> None:
        self._report.note(place, ".".join(map(safe, (*self._path, *more))), message, remedy)

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        assert mark is not None  # PyYAML's own events always have one
        return Place(self._file, mark.line + 1, mark.column + 1)
