"""Decisions compare types: members of enums, not the words of their values, and no text for people."""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("apps", "cli", "common", "controller", "services")
# Words that mean something else than the member of an enum that is written the same way: file, word, meaning.
SAME_WORD = {
    ("common/config/kinds.py", "off"): "a value that is a number or `off`",
    ("controller/api/listen.py", "off"): "a setting that is an address or `off`",
    ("cli/doctor.py", "antivirus"): "an argument of the command",
    ("cli/doctor.py", "decoy"): "an argument of the command",
    ("cli/doctor.py", "member"): "an argument of the command",
    ("controller/doctor/scanner.py", "clamd"): "the name of a program",
    ("services/cowrie/plugin/link.py", "open"): "a key of a message from the supervisor",
    ("services/cowrie/plugin/packets.py", "none"): "the name of an SSH cipher",
    ("services/cowrie/plugin/program.py", "telnet"): "the name of one of Cowrie's services",
    ("services/decoy/syslog.py", "udp"): "a scheme in an argument of the command",
}
FOR_PEOPLE = frozenset({"detail", "reason", "stale", "problem", "why", "error"})
_PARTS = frozenset({"startswith", "endswith", "removeprefix", "find", "partition"})


def _texts(node: ast.AST) -> Iterator[str]:
    """Yield the string literals that something is compared with."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            for part in parts:
                yield from _texts(part)


def _compared(node: ast.AST) -> list[ast.expr]:
    """Return both sides of a comparison; the second side alone of a `case`."""
    match node:
        case ast.Compare(left=left, comparators=others):
            return [left, *others]
        case ast.MatchValue(value=value):
            return [value]
    return []


def _name(node: ast.AST) -> str:
    """Return `b` for `a.b`, `a["b"]`, `a.get("b")` and `str(a.b)`."""
    match node:
        case ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str() as name)):
            return name
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str() as name), *_]):
            return name
        case ast.Call(func=ast.Name(id="str"), args=[inner]):
            return _name(inner)
        case ast.Name(id=name):
            return name
    return ""


def _is_scheme(node: ast.AST) -> bool:
    """Return whether this is the scheme of a URL, for which there is no enum."""
    return _name(node) == "scheme" or (isinstance(node, ast.Name) and node.id == "scheme")


@cache
def _trees() -> dict[str, ast.Module]:
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    return {str(file.relative_to(ROOT)): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def words_of_enums(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(bases=[ast.Name(id="StrEnum")], body=body):
                for each in body:
                    if isinstance(each, ast.Assign):
                        yield from _texts(each.value)


def words_compared(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield each literal of a comparison, with its line, except for schemes of URLs."""
    for node in ast.walk(tree):
        sides = _compared(node)
        if not any(map(_is_scheme, sides)):
            for side in sides:
                yield from ((text, side.lineno) for text in _texts(side))


def looks_into_prose(tree: ast.AST) -> Iterator[int]:
    """Yield the line of each comparison with a part or the whole of a text for people."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=text, attr=attr), lineno=line) if attr in _PARTS:
                if _name(text) in FOR_PEOPLE:
                    yield line
            case ast.Compare(lineno=line):
                sides = _compared(node)
                if any(_name(side) in FOR_PEOPLE for side in sides) and any(
                    any(_texts(side)) for side in sides
                ):
                    yield line


def test_members_of_enums_are_not_compared_as_words() -> None:
    trees = _trees()
    words = {word for tree in trees.values() for word in words_of_enums(tree)}
    assert {"require", "infected", "skip", "clamd", "down"} <= words
    found = {
        (file, word): line
        for file, tree in trees.items()
        for word, line in words_compared(tree)
        if word in words
    }
    wrong = [
        f"{file}:{line}: compare with a member of an enum, not with {word!r}"
        for (file, word), line in found.items()
        if (file, word) not in SAME_WORD
    ]
    assert wrong == []
    assert SAME_WORD.keys() <= found.keys(), "exceptions that nothing needs any more"


def test_nothing_is_decided_by_a_text_for_people() -> None:
    found = Counter(file for file, tree in _trees().items() for _ in looks_into_prose(tree))
    assert found == {"controller/pools/health.py": 1}  # reports of agents of the first release


def test_comparisons_as_words_are_found() -> None:
    code = (
        'a.clients == "require"\n'
        'x in ("require", "verify")\n'
        'match a.b:\n case "skip": pass\n'
        'a.scheme in ("http",)\n'
    )
    assert [word for word, _ in words_compared(ast.parse(code))] == ["require", "require", "verify", "skip"]


def test_looks_into_texts_for_people_are_found() -> None:
    code = (
        'h.detail.startswith("clamd")\nstr(f.get("reason")) == "bare"\n"x" in f["detail"]\nh.detail != ""\n'
    )
    assert list(looks_into_prose(ast.parse(code))) == [1, 2, 3]
