"""All programs of Postern with their parsers, by the names under which they are installed."""

import argparse
from importlib import import_module
from importlib.metadata import entry_points


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the complete parser of each program; `postern` comes first."""
    scripts = {each.name: each.module for each in entry_points(group="console_scripts")}
    names = sorted(name for name in scripts if name == "postern" or name.startswith("postern-"))
    return {name: import_module(scripts[name]).build_parser() for name in names}
