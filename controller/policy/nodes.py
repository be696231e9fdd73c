"""YAML text to a tree of nodes that know where they stand. Values stay text; nothing is guessed.

Refuses what YAML offers and a policy never needs: aliases, tags, several
documents, duplicate keys, great depth or size. So `no`, `02:50:00:00:00:01`
and `1e3` are the text that was written.
"""

import re
from dataclasses import dataclass

import yaml

from controller.errors import PolicyError, PolicyErrors, note, quoted
from controller.policy.model import Place

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 20
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # no UTF-8 file holds one, but the text of a JSON body may
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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


Node = Scalar | Sequence | Mapping


def read_nodes(text: str, file: str) -> Node | None:
    """Return the tree, or None for an empty file. Raise `PolicyErrors` on what cannot be a policy."""
    if found := _LONE_SURROGATE.search(text):
        line_begin = text.rfind("\n", 0, found.start()) + 1
        place = Place(file, text.count("\n", 0, found.start()) + 1, found.start() - line_begin + 1)
        message = f"{quoted(found[0])} is half a character"
        raise PolicyErrors([PolicyError(place, "policy", message, "write the whole character, or remove it")])
    if len(text.encode()) > MAX_BYTES:
        raise too_large(file)
    try:
        root = _compose(text, file)
    except yaml.YAMLError as error:
        raise PolicyErrors([_yaml_error(error, file)]) from error
    if root is None:
        return None
    errors: list[PolicyError] = []
    tree = _convert(root, file, errors)
    if errors:
        raise PolicyErrors(errors)
    return tree


def too_large(file: str) -> PolicyErrors:
    message = f"file holds more than {MAX_BYTES} bytes"
    return PolicyErrors([PolicyError(Place(file, 1, 1), "policy", message, "split the edge in two")])


def _compose(text: str, file: str) -> yaml.Node | None:
    """Look at the events first: aliases and depth must be known before any tree is built."""
    depth = 0
    documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        place = _place(event, file)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise PolicyErrors(
                [PolicyError(place, "policy", "anchors and aliases are not taken", "write the value out")]
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise PolicyErrors([_too_deep(place)])
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise PolicyErrors(
                    [
                        PolicyError(
                            place, "policy", "a second document begins here", "keep one policy in a file"
                        )
                    ]
                )
    node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    return node


def _too_deep(place: Place) -> PolicyError:
    return PolicyError(place, "policy", f"nested deeper than {MAX_DEPTH} levels", "a policy never needs that")


def _place(thing: yaml.Event | yaml.Node, file: str) -> Place:
    mark = thing.start_mark
    assert mark is not None  # PyYAML's own events and nodes always have one
    return Place(file, mark.line + 1, mark.column + 1)


def _yaml_error(error: yaml.YAMLError, file: str) -> PolicyError:
    mark = getattr(error, "problem_mark", None)
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    return PolicyError(place, "policy", f"not valid YAML: {problem}", "mend the line; indent with spaces")


def _convert(node: yaml.Node, file: str, errors: list[PolicyError]) -> Node:
    place = _place(node, file)
    if isinstance(node, yaml.ScalarNode):
        if node.tag not in _PLAIN_TAGS:
            note(errors, PolicyError(place, "policy", "tags are not taken", "remove the `!tag`"))
        return Scalar(place, node.value, is_quoted=bool(node.style))  # libyaml calls the plain style ""
    if node.tag not in _PLAIN_TAGS:
        note(errors, PolicyError(place, "policy", "tags are not taken", "remove the `!tag`"))
    if isinstance(node, yaml.SequenceNode):
        return Sequence(place, tuple(_convert(item, file, errors) for item in node.value))
    return _convert_mapping(node, file, errors)


_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map", "merge", "value")
)


def _convert_mapping(node: yaml.Node, file: str, errors: list[PolicyError]) -> Mapping:
    entries: list[tuple[Scalar, Node]] = []
    first_by_key: dict[str, Place] = {}
    for key_node, value_node in node.value:
        key = _convert(key_node, file, errors)
        value = _convert(value_node, file, errors)
        if not isinstance(key, Scalar):
            message, remedy = "a key must be plain text", "name it with one word"
            note(errors, PolicyError(key.place, "policy", message, remedy))
            continue
        first = first_by_key.setdefault(key.text, key.place)
        if first is not key.place:
            message = f"given a second time (first in line {first.line})"
            note(errors, PolicyError(key.place, quoted(key.text)[1:-1], message, "keep one of them"))
            continue
        entries.append((key, value))
    return Mapping(_place(node, file), tuple(entries))
