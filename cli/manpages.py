"""`make man`: writes manual pages of all programs into build/man, from their parsers (argparse-manpage)."""

import argparse
import sys
from importlib.metadata import version
from pathlib import Path

from argparse_manpage.manpage import Manpage

from cli.programs import parsers
from common import entry

_TARGET = Path(__file__).resolve().parents[1] / "build" / "man"
_SECTION = 1


def build_page(parser: argparse.ArgumentParser) -> str:
    """Return a manual page in roff."""
    facts = {
        "project_name": "postern",
        "version": version("postern"),
        "manual_title": "Postern",
        "manual_section": _SECTION,
        "description": _title(parser),
    }
    return str(Manpage(parser, facts))


def _title(parser: argparse.ArgumentParser) -> str:
    """Return the first sentence of the description, which `whatis` and `apropos` show."""
    first, _, _ = " ".join((parser.description or "").split()).partition(". ")
    return first.rstrip(".")


def main() -> None:
    _TARGET.mkdir(parents=True, exist_ok=True)
    for name, parser in parsers().items():
        file = _TARGET / f"{name}.{_SECTION}"
        file.write_text(build_page(parser), encoding="utf-8")
        print(file)


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("cli.manpages", main)


if __name__ == "__main__":
    sys.exit(run())
