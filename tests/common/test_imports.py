"""Modules import each other in one direction only, at run time: no circle, nothing hidden from it."""

from functools import cache
from pathlib import Path

from grimp import ImportGraph, build_graph

ROOT = Path(__file__).parents[2]
PACKAGES = ("apps", "cli", "common", "controller", "lab", "services")


@cache
def graph() -> ImportGraph:
    return build_graph(PACKAGES[0], *PACKAGES[1:])


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert len(graph().modules) > 100
    left = {name: set(graph().find_modules_directly_imported_by(name)) for name in graph().modules}
    while leaves := {name for name, imported in left.items() if not imported}:
        left = {name: imported - leaves for name, imported in left.items() if name not in leaves}
    assert not left, f"in a circle, or above one: {sorted(left)}"


def test_no_import_is_only_for_the_type_checker() -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    hidden = [str(file) for file in files if "TYPE_CHECKING" in file.read_text(encoding="utf-8")]
    assert files and hidden == []
