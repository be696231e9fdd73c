"""A grammar as a reference page in Markdown, with examples from a valid file. Pure."""

from collections import Counter
from collections.abc import Iterator

from common.config.errors import MOST_ERRORS
from common.config.grammar import (
    Document,
    Key,
    ListOf,
    MapOf,
    PairOf,
    Record,
    Type,
    Variants,
    WordOr,
    records_within,
)
from common.config.kinds import Kind
from common.config.nodes import Mapping, Node, Refused, Scalar, Sequence, read_nodes
from common.config.report import ErrorReport

_LONGEST_EXAMPLE = 100
_SPELLING = """\
## Names, values and limits

- Sizes are bytes, or have a unit: `500KiB`, `25MiB`, `1GiB`. Durations have a unit: `300ms`, `10s`, `5m`, `2h`, `7d`. Shares are percentages: `50%`.
- A prefix is written `203.0.113.0/24`, without a mask. Quote IPv6 in brackets: `["2001:db8::10"]`.
- The order of keys does not matter; the order of a list may.
- Anchors, aliases, tags, tabs, a second document, a duplicate key, more than {depth} levels and more than {mib} MiB are refused.
- All errors are reported at once, at most {errors:,}, each as `file:line:column: key: message; remedy`. If a file is not valid YAML, reading stops at that error.
"""


def build_page(document: Document, head: str, example: str) -> str:
    """Return the page: the head, the spelling of values, a table for each record; `example` is a valid file."""
    tree = read_nodes(example, ErrorReport("example", document.noun), document.limits)
    assert tree is not None
    limits = document.limits
    spelling = _SPELLING.format(depth=limits.depth, mib=limits.size_bytes // 1024**2, errors=MOST_ERRORS)
    examples = dict(reversed(list(_examples(tree, document.record))))  # the first value of each key counts
    sections = _Page(document.record, examples).section("The file", "", document.record)
    return "\n".join([head, spelling, *sections]).rstrip() + "\n"


class _Page:
    """Writes each record once; where a record is used again, its first place is named."""

    def __init__(self, top: Record, examples: dict[tuple[Record, str], str]) -> None:
        self._examples = examples
        self._records_at = Counter(_paths(top, "", set()))
        self._title_by_record: dict[Record, str] = {}

    def section(self, title: str, path: str, record: Record, variant: str = "") -> Iterator[str]:
        new = self._name_records(record, path, variant)
        yield f"## {title}"
        yield ""
        yield "| key | type | meaning | default | example |"
        yield "| --- | --- | --- | --- | --- |"
        for name, key in record.keys.items():
            example = self._examples.get((record, name), "")
            cells = (f"`{name}`", self._holds(key.type), key.means, _default(key), example)
            yield f"| {' | '.join(map(_cell, cells))} |"
        yield ""
        for inside, inner, inner_variant in new:
            yield from self.section(self._title_by_record[inner], inside, inner, inner_variant)

    def _name_records(self, record: Record, path: str, variant: str) -> list[tuple[str, Record, str]]:
        """Return the records below one that have no section yet, with their paths and variants."""
        new: list[tuple[str, Record, str]] = []
        for name, key in record.keys.items():
            inside = _path(name, path, key)
            for inner in records_within(key.type):
                if inner not in self._title_by_record:
                    inner_variant = _variant(_innermost(key.type), inner) or variant
                    is_shared = self._records_at[inside] > 1
                    self._title_by_record[inner] = f"`{inside}`{inner_variant if is_shared else ''}"
                    new.append((inside, inner, inner_variant))
        return new

    def _holds(self, wanted: Type) -> str:
        match wanted:
            case Kind():
                return wanted.name
            case PairOf():
                return f"[{wanted.first.name}, {wanted.second.name}]"
            case ListOf(item=Record() | Variants()):
                return f"list; each entry has {self._holds(wanted.item)}"
            case ListOf():
                return f"list; each entry: {self._holds(wanted.item)}"
            case MapOf():
                return f"by {wanted.names.name}: {self._holds(wanted.item)}"
            case WordOr():
                return f"{wanted.word.name}, or {self._holds(wanted.other)}"
            case Variants():
                return f"keys that depend on `{wanted.by}`"
            case Record():
                return f"the keys of {self._title_by_record[wanted]}"


def _paths(record: Record, path: str, seen: set[Record]) -> Iterator[str]:
    """Return the path of each record below one, once for each record."""
    for name, key in record.keys.items():
        inside = _path(name, path, key)
        for inner in records_within(key.type):
            if inner not in seen:
                seen.add(inner)
                yield inside
                yield from _paths(inner, inside, seen)


def _innermost(wanted: Type) -> Type:
    match wanted:
        case ListOf() | MapOf():
            return _innermost(wanted.item)
        case WordOr():
            return _innermost(wanted.other)
        case _:
            return wanted


def _variant(wanted: Type, record: Record) -> str:
    """Return how the title of a variant ends; nothing for other records."""
    if not isinstance(wanted, Variants):
        return ""
    return f" with `{wanted.by}: {' or '.join(wanted.words_of(record))}`"


def _default(key: Key) -> str:
    if key.is_required:
        return "**required**"
    if key.otherwise or key.default in (None, "{}", "[]"):
        return key.otherwise or "none"
    return key.default or "empty"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _examples(node: Node, record: Record) -> Iterator[tuple[tuple[Record, str], str]]:
    """Values of a file by their key, in the order of the file. Long ones are left out."""
    assert isinstance(node, Mapping)  # the file is good
    for key_node, value in node.entries:
        key = record.keys[key_node.text]
        if not records_within(key.type) or isinstance(value, Scalar):
            if len(shown := _shown(value)) <= _LONGEST_EXAMPLE:
                yield (record, key_node.text), f"`{shown}`"
            continue
        for each, inner in _records_in(value, key.type):
            yield from _examples(each, inner)


def _records_in(node: Node, wanted: Type) -> Iterator[tuple[Node, Record]]:
    match node, wanted:
        case Sequence(), ListOf():
            for item in node.items:
                yield from _records_in(item, wanted.item)
        case Mapping(), MapOf():
            for _, value in node.entries:
                yield from _records_in(value, wanted.item)
        case _, WordOr():
            yield from _records_in(node, wanted.other)
        case Mapping(), Variants():
            word = next(each.text for key, each in node.entries if key.text == wanted.by
                        and isinstance(each, Scalar))  # fmt: skip
            if record := wanted.find(word):
                yield node, record
        case Mapping(), Record():
            yield node, wanted


def _shown(node: Node) -> str:
    match node:
        case Scalar():
            return f'"{node.text}"' if node.is_quoted else node.text
        case Sequence():
            return f"[{', '.join(map(_shown, node.items))}]"
        case Mapping():
            return f"{{{', '.join(f'{key.text}: {_shown(value)}' for key, value in node.entries)}}}"
        case Refused():
            return ""


def _path(name: str, path: str, key: Key) -> str:
    step = name + _steps(key.type)
    return f"{path}.{step}" if path else step


def _steps(wanted: Type) -> str:
    match wanted:
        case ListOf():
            return f"[]{_steps(wanted.item)}"
        case MapOf():
            return f".{wanted.label}{_steps(wanted.item)}"
        case WordOr():
            return _steps(wanted.other)
        case _:
            return ""
