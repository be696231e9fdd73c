"""Commands that print: each returns a `Result`, and this module renders all of them as text or as JSON.

With `--json` a command prints one JSON document on standard output. Errors, also those of usage, go to
standard error: as lines, or with `--json` as `{"errors": [...]}`. The exit code is the same in both forms. A
command that takes more than two seconds shows its progress.
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NoReturn, TypeAlias

from common.exit_codes import ExitCode
from common.terminal import Progress

_WIDTH = 78
_JSON = "print one JSON document instead of text"
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class CommandError(Exception):
    """A command failed. `errors` are its texts, one per line, each with a remedy if there is one."""

    code = ExitCode.FAILED

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = list(errors)


class UsageError(CommandError):
    """The words of a command are wrong. `usage`: how the command is used."""

    code = ExitCode.USAGE

    def __init__(self, parser: argparse.ArgumentParser, message: str) -> None:
        super().__init__([f"{parser.prog}: error: {message}"])
        self.usage = parser.format_usage()


class _CommandParser(argparse.ArgumentParser):
    """Raises what `execute` prints as text or as JSON. The parsers of its commands are of this class too."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(self, message)


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


def build_command_parser(program: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """Return the parser of a program for `execute`: wrong arguments raise a `UsageError`."""
    parser = _CommandParser(prog=program)
    explain(parser, description, epilog)
    return parser


def explain(parser: argparse.ArgumentParser, description: str, epilog: str) -> None:
    """Describe what a command does, in a sentence or two, and show an example."""
    parser.description = textwrap.fill(description, _WIDTH, break_on_hyphens=False)
    parser.epilog = epilog
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def be_command(
    parser: argparse.ArgumentParser, run: Run, description: str, epilog: str, *, has_json: bool = True
) -> None:
    """Make a parser a command that `execute` can run.

    Without `--json`, and without progress, if its output is another program's or has no end. `run` finds its
    `Progress` in the arguments, as `progress`.
    """
    explain(parser, description, epilog)
    if has_json:
        parser.add_argument("--json", action="store_true", help=_JSON)
    parser.set_defaults(run=run, chosen=parser)


def add_command(commands: Subparsers, name: str, text: str, run: Run, epilog: str) -> argparse.ArgumentParser:
    """Add a command below another one, with `text` as help and description."""
    parser = commands.add_parser(name, help=text)
    be_command(parser, run, f"{text[0].upper()}{text[1:]}.", epilog)
    return parser


def execute(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> ExitCode:
    """Run the command that the arguments name, print what it found, and return its exit code.

    `parser`: made by `build_command_parser`. `arguments`: None means those of this process.
    """
    words = sys.argv[1:] if arguments is None else arguments
    is_json = asks_for_json(words)
    try:
        parsed = _parse(parser, words)
        is_json = getattr(parsed, "json", False)
        result = _run(parsed)
    except CommandError as error:
        if isinstance(error, UsageError) and not is_json:
            print(error.usage, end="", file=sys.stderr)
        _complain(error.errors, is_json)
        return error.code
    _show(result, is_json)
    return result.code


def asks_for_json(words: Sequence[str]) -> bool:
    """Return whether these arguments have `--json`, even if the rest of them cannot be understood."""
    return "--json" in takewhile(lambda word: word != "--", words)


def _parse(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Raise `UsageError`, also for words that only the command itself can know to be wrong."""
    parsed, unknown = parser.parse_known_args(words)
    if unknown:
        raise UsageError(parsed.chosen, f"unrecognized arguments: {' '.join(unknown)}")
    return parsed


def _run(parsed: argparse.Namespace) -> Result:
    run: Run = parsed.run
    if not hasattr(parsed, "json"):
        return run(parsed)
    with Progress(parsed.json, text=f"{parsed.chosen.prog}: working") as parsed.progress:
        return run(parsed)


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
