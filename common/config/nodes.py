"""YAML text to a tree of nodes with their places. Values stay text, and no type is guessed.

Refuses features of YAML that a settings file never needs: aliases, tags, several
documents, duplicate keys, great depth or size. `no`, `02:50:00:00:00:01` and `1e3`
stay the text that was written. An alias is not followed, so a small file never
becomes a large tree.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

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
    builder = _Builder(yaml.parse(text, Loader=_Loader), report, limits)
    try:
        return builder.document()
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

    def __init__(self, events: Iterator[yaml.Event], report: ErrorReport, limits: Limits) -> None:
        self._events, self._report, self._limits = events, report, limits
        self._path: list[str] = []
        self._depth = 0

    def document(self) -> Node | None:
        tree: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if tree is not None:
                    self._report.fail(
                        self._place(event), "", "a second document begins here", "keep one document in a file"
                    )
                tree = self._node(next(self._events))
        return tree

    def _node(self, event: yaml.Event) -> Node:
        place = self._place(event)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._note(place, "anchors and aliases are not accepted", "write the value in full")
        node = self._content(event, place)
        if getattr(event, "tag", None):
            self._note(place, "tags are not accepted", "remove the `!tag`")
            return Refused(place)
        return node

    def _content(self, event: yaml.Event, place: Place) -> Node:
        match event:
            case yaml.ScalarEvent():
                return Scalar(place, event.value, is_quoted=bool(event.style))  # libyaml: plain style is ""
            case yaml.SequenceStartEvent():
                return Sequence(place, tuple(self._items(place)))
            case yaml.MappingStartEvent():
                return Mapping(place, tuple(self._entries(place)))
            case _:
                return Refused(place)

    def _items(self, place: Place) -> Iterator[Node]:
        for number, event in enumerate(self._inside(place), 1):
            yield self._at(str(number), event)

    def _entries(self, place: Place) -> Iterator[tuple[Scalar, Node]]:
        first_by_key: dict[str, Place] = {}
        for event in self._inside(place):
            key = self._node(event)
            if not isinstance(key, Scalar):
                self._note(key.place, "a key must be plain text", "use one word as the key")
                self._at("?", next(self._events))
                continue
            value = self._at(key.text, next(self._events))
            first = first_by_key.setdefault(key.text, key.place)
            if first is key.place:
                yield key, value
            else:
                self._note(key.place, f"is a duplicate key (first on line {first.line})", "keep one of them",
                           key.text)  # fmt: skip

    def _inside(self, place: Place) -> Iterator[yaml.Event]:
        """Return the events that begin the parts of a collection, up to its end."""
        self._depth += 1
        if self._depth > self._limits.depth:
            message = f"nested deeper than {self._limits.depth} levels"
            self._report.fail(place, "", message, "use fewer levels; none of these files needs more")
        for event in self._events:
            if isinstance(event, yaml.CollectionEndEvent):
                break
            yield event
        self._depth -= 1

    def _at(self, step: str, event: yaml.Event) -> Node:
        self._path.append(step)
        node = self._node(event)
        self._path.pop()
        return node

    def _note(self, place: Place, message: str, remedy: str, *more: str) -> None:
        self._report.note(place, ".".join(map(safe, (*self._path, *more))), message, remedy)

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        assert mark is not None  # PyYAML's own events always have one
        return Place(self._report.top.file, mark.line + 1, mark.column + 1)
