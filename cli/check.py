"""`postern check`: everything that is wrong with an operator's file, at once, each with place and remedy."""

import argparse
import json
import sys
from pathlib import Path

from cli.common import Subparsers, cannot_read
from cli.documents import KINDS, guess_kind, load_kind
from common.config.errors import ConfigErrors
from common.config.files import read_text
from controller.compiler.errors import CompileError
from controller.policy.grammar import POLICY_FILE

Mistake = dict[str, str | int]


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "check",
        help="report everything that is wrong with a policy, a persona or settings of sensors",
        description="Check files without a controller or a switch. Prints one line for each mistake: "
        "file:line:column: key: what is wrong; remedy. Exit code 0 when all files are good.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="file (YAML)")
    parser.add_argument(
        "--kind", choices=KINDS, default="", help="kind of the files (default: what their first key says)"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list of mistakes, for editors")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    mistakes: list[Mistake] = []
    for path in arguments.files:
        found = _check(path, arguments.kind)
        if isinstance(found, list):
            mistakes += found
            if not arguments.json:
                _print_mistakes(path, found)
        elif not arguments.json:
            print(f"{path}: good. {found}.")
    if arguments.json:
        print(json.dumps(mistakes, indent=1))
    return 1 if mistakes else 0


def _check(path: Path, kind: str) -> str | list[Mistake]:
    """Return what the file holds, in words, or its mistakes."""
    try:
        text = read_text(path, load_kind(kind).document if kind else POLICY_FILE)
        return load_kind(kind or guess_kind(text)).check(text, str(path))
    except ConfigErrors as errors:
        return [
            {
                "file": error.place.file,
                "line": error.place.line,
                "column": error.place.column,
                "key": error.key,
                "message": error.message,
                "remedy": error.remedy,
                "text": str(error),
            }
            for error in errors.errors
        ]
    except OSError as error:
        said = cannot_read(path, error)
        return [{"file": str(path), "message": said.removeprefix(f"{path}: "), "text": said}]
    except CompileError as error:
        return [{"file": str(path), "message": str(error), "text": f"{path}: {error}"}]


def _print_mistakes(path: Path, mistakes: list[Mistake]) -> None:
    for mistake in mistakes:
        print(mistake["text"], file=sys.stderr)
    noun = "mistake" if len(mistakes) == 1 else "mistakes"
    print(f"{path}: {len(mistakes)} {noun}, nothing was applied", file=sys.stderr)
