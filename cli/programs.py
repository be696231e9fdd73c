"""All programs of Postern with their parsers, by the names under which they are installed."""

import argparse
from importlib import import_module
from importlib.metadata import entry_points


def names() -> list[str]:
    """Return the name of each program; `postern` comes first."""
    return sorted(_module_by_name())


def parser_of(name: str) -> argparse.ArgumentParser:
    """Return the complete parser of a program."""
    parser: argparse.ArgumentParser = import_module(_module_by_name()[name]).build_parser()
    return parser


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the complete parser of each program; `postern` comes first."""
    return {name: parser_of(name) for name in names()}


def _module_by_name() -> dict[str, str]:
    scripts = entry_points(group="console_scripts")
    return {
        each.name: each.module
        for each in scripts
        if each.name == "postern" or each.name.startswith("postern-")
    }
