"""Modules import each other in one direction only, at run time: no circle, nothing hidden from it."""

import sys
from functools import cache
from pathlib import Path

from grimp import ImportGraph, build_graph

ROOT = Path(__file__).parents[2]
PACKAGES = ("apps", "cli", "common", "controller", "lab", "services")


@cache
def graph() -> ImportGraph:
    return build_graph(PACKAGES[0], *PACKAGES[1:])


@cache
def packages_used_by(package: str) -> frozenset[str]:
    """Return the packages outside of the standard library that a package imports."""
    whole = build_graph(package, include_external_packages=True)
    inside = {name for name in whole.modules if name.split(".")[0] == package}
    used = {found for name in inside for found in whole.find_modules_directly_imported_by(name)}
    return frozenset({name.split(".")[0] for name in used} - {package} - sys.stdlib_module_names)


def test_what_all_programs_share_needs_yaml_and_the_codec_only() -> None:
    assert packages_used_by("common") == {"yaml", "cattrs"}


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
