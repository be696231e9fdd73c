"""The name of a class or an alias is used once within a layer, so that it says which one is meant."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("apps", "cli", "common", "controller", "lab", "services")


def named(tree: ast.Module, file: str) -> Iterator[tuple[str, str]]:
    """Yield the classes and aliases that a file defines or hands on, each with the place it is from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name, file
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=value) if not _is_type_variable(value):
                yield name, file
            case ast.AnnAssign(target=ast.Name(name)):
                yield name, file
            case ast.ImportFrom(module=module, names=names):
                yield from ((each.name, f"{module}") for each in names if each.asname == each.name)


def _is_type_variable(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func) in ("TypeVar", "ParamSpec")


def _is_of_a_class(name: str) -> bool:
    """Return whether a name is public and in CamelCase."""
    return name[0].isupper() and "_" not in name and not name.isupper()


def used_twice(files: dict[str, str]) -> dict[str, set[str]]:
    """Return each name with more than one meaning, and where it has them; `files`: texts by path."""
    places: dict[str, set[str]] = defaultdict(set)
    for file, text in files.items():
        for name, place in named(ast.parse(text), file):
            if _is_of_a_class(name):
                places[name].add(place)
    return {name: found for name, found in places.items() if len(found) > 1}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_name_of_a_class_or_an_alias_is_used_once(layer: str) -> None:
    files = {
        str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in (ROOT / layer).rglob("*.py")
    }
    assert used_twice(files) == {}


@pytest.mark.parametrize(
    "text", ["class Way:\n    pass", "Way = int | str", "Way: TypeAlias = int", "from a.b import Way as Way"]
)
def test_a_second_use_is_found(text: str) -> None:
    assert used_twice({"first.py": "class Way:\n    pass", "second.py": text}).keys() == {"Way"}


def test_a_name_that_is_imported_or_handed_on_is_not_a_second_one() -> None:
    handed_on = "from a.b import Way as Way"
    assert used_twice({"1.py": handed_on, "2.py": handed_on, "3.py": "from a.b import Way"}) == {}
