"""YAML text to a tree that knows where everything stands. Values stay text; nothing is guessed.

Refuses what YAML offers and a persona never needs: aliases, tags, several documents, duplicate
keys, great depth or size.
"""

from dataclasses import dataclass

import yaml

from services.personas.errors import Errors, PersonaError, PersonaErrors, Place, quoted

MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 12
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map", "merge", "value")
)


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


def read_nodes(text: str, file: str) -> Node:
    """Raise `PersonaErrors` on what cannot be a persona."""
    begin = Place(file, 1, 1)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _one(begin, f"file holds more than {MAX_BYTES} bytes", "leave out large bodies")
    try:
        _check_events(text, file)
        root = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, UnicodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = Place(file, mark.line + 1, mark.column + 1) if mark else begin
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
        raise _one(place, f"not valid YAML: {problem}", "mend the line; indent with spaces") from error
    if root is None:
        raise _one(begin, "the file is empty", "begin with `postern-persona: 1`")
    errors = Errors()
    tree = _convert(root, file, errors)
    errors.raise_any()
    return tree


def _one(place: Place, message: str, remedy: str) -> PersonaErrors:
    return PersonaErrors([PersonaError(place, "persona", message, remedy)])


def _check_events(text: str, file: str) -> None:
    """Aliases and depth must be known before any tree is built."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _one(_place(event, file), "anchors and aliases are not taken", "write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise _one(
                    _place(event, file), f"nested deeper than {_MAX_DEPTH} levels", "a persona is flat"
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _one(_place(event, file), "a second document begins here", "keep one in a file")


def _place(thing: yaml.Event | yaml.Node, file: str) -> Place:
    mark = thing.start_mark
    assert mark is not None  # PyYAML's own events and nodes always have one
    return Place(file, mark.line + 1, mark.column + 1)


def _convert(node: yaml.Node, file: str, errors: Errors) -> Node:
    place = _place(node, file)
    if node.tag not in _PLAIN_TAGS:
        errors.note(place, "persona", "tags are not taken", "remove the `!tag`")
    if isinstance(node, yaml.ScalarNode):
        return Scalar(place, node.value, is_quoted=bool(node.style))
    if isinstance(node, yaml.SequenceNode):
        return Sequence(place, tuple(_convert(item, file, errors) for item in node.value))
    entries: list[tuple[Scalar, Node]] = []
    first_by_key: dict[str, Place] = {}
    for key_node, value_node in node.value:
        key, value = _convert(key_node, file, errors), _convert(value_node, file, errors)
        if not isinstance(key, Scalar):
            errors.note(key.place, "persona", "a key must be plain text", "name it with one word")
        elif (first := first_by_key.setdefault(key.text, key.place)) is not key.place:
            message = f"given a second time (first in line {first.line})"
            errors.note(key.place, quoted(key.text)[1:-1], message, "keep one of them")
        else:
            entries.append((key, value))
    return Mapping(place, tuple(entries))
