"""Commands that print: each returns a `Result`, and this module renders all of them as text or as JSON.

With `--json` a command prints one JSON document on standard output. Errors go to standard error: as lines, or
with `--json` as `{"errors": [...]}`. The exit code is the same in both forms.
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from common.exit_codes import ExitCode

_WIDTH = 78
_JSON = "print one JSON document instead of text"
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class CommandError(Exception):
    """A command failed. `errors` are its texts, one per line, each with a remedy if there is one."""

    code = ExitCode.FAILED

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = list(errors)


@dataclass(frozen=True, slots=True)
class Result:
    """What a command found: `facts` for `--json`, whose keys are stable, and `lines` for people.

    `complaints` are further lines, for standard error; with `--json` they must be among the facts.
    """

    facts: object
    lines: Sequence[str] = ()
    code: ExitCode = ExitCode.OK
    complaints: Sequence[str] = ()


Run = Callable[[argparse.Namespace], Result]


def explain(parser: argparse.ArgumentParser, description: str, epilog: str) -> None:
    """Describe what a command does, in a sentence or two, and show an example."""
    parser.description = textwrap.fill(description, _WIDTH, break_on_hyphens=False)
    parser.epilog = epilog
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def be_command(
    parser: argparse.ArgumentParser, run: Run, description: str, epilog: str, *, has_json: bool = True
) -> None:
    """Make a parser a command that `execute` can run. Without `--json` if its output is another program's."""
    explain(parser, description, epilog)
    if has_json:
        parser.add_argument("--json", action="store_true", help=_JSON)
    parser.set_defaults(run=run)


def add_command(commands: Subparsers, name: str, text: str, run: Run, epilog: str) -> argparse.ArgumentParser:
    """Add a command below another one, with `text` as help and description."""
    parser = commands.add_parser(name, help=text)
    be_command(parser, run, f"{text[0].upper()}{text[1:]}.", epilog)
    return parser


def execute(parsed: argparse.Namespace) -> ExitCode:
    """Run the command that was chosen, print what it found, and return its exit code."""
    is_json = bool(getattr(parsed, "json", False))
    try:
        result: Result = parsed.run(parsed)
    except CommandError as error:
        _complain(error.errors, is_json)
        return error.code
    _show(result, is_json)
    return result.code


def _show(result: Result, is_json: bool) -> None:
    if is_json:
        print(json.dumps(result.facts, indent=1))
        return
    for line in result.lines:
        print(line)
    if result.complaints:
        sys.stdout.flush()
        _complain(result.complaints, is_json)


def _complain(errors: Sequence[str], is_json: bool) -> None:
    for text in [json.dumps({"errors": list(errors)})] if is_json else errors:
        print(text, file=sys.stderr)
