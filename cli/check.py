"""`postern check`: all errors in operators' files at once, each with place and remedy."""

import argparse
from pathlib import Path

from cli.common import why_unreadable
from cli.documents import KINDS, guess_kind, load_kind
from common.commands import Result, be_command
from common.config.errors import ConfigError, ConfigErrors, Place
from common.config.files import read_text
from common.exit_codes import ExitCode
from controller.compiler.errors import CompileError
from controller.policy.grammar import POLICY_FILE

Mistake = dict[str, str | int]


def fill(parser: argparse.ArgumentParser) -> None:
    be_command(
        parser,
        _run,
        "Check policies, personas and settings of sensors, without a controller or a switch. Prints one line "
        "for each error: file:line:column: key: what is wrong; remedy. The exit code is 0 if all files are "
        "valid.",
        "examples:\n  postern check policies/*.yaml\n"
        "  postern check --kind sensors /etc/postern/sensors.yaml",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="file (YAML)")
    parser.add_argument(
        "--kind", choices=KINDS, default="", help="kind of the files (default: determined by their first key)"
    )


def _run(arguments: argparse.Namespace) -> Result:
    mistakes: list[Mistake] = []
    lines: list[str] = []
    complaints: list[str] = []
    for path in arguments.files:
        found = _check(path, arguments.kind)
        if isinstance(found, list):
            mistakes += found
            complaints += _told(path, found)
        else:
            lines.append(f"{path}: valid. {found}.")
    return Result(mistakes, lines, ExitCode.FAILED if mistakes else ExitCode.OK, complaints)


def _check(path: Path, kind: str) -> str | list[Mistake]:
    """Return the content of the file in words, or its mistakes."""
    try:
        text = read_text(path, load_kind(kind).document if kind else POLICY_FILE)
        return load_kind(kind or guess_kind(text)).check(text, str(path))
    except ConfigErrors as errors:
        return [_mistake(error, str(error)) for error in errors.errors]
    except OSError as error:
        return [_mistake_of_whole(path, "file", *why_unreadable(error))]
    except CompileError as error:
        return [_mistake_of_whole(path, POLICY_FILE.noun, error.message, error.remedy)]


def _mistake_of_whole(path: Path, key: str, message: str, remedy: str) -> Mistake:
    """Return a mistake without a line; like all those of a whole file, it is placed at the beginning."""
    error = ConfigError(Place(str(path), 1, 1), key, message, remedy)
    return _mistake(error, f"{path}: {message}; remedy: {remedy}")


def _mistake(error: ConfigError, text: str) -> Mistake:
    return {
        "file": error.place.file,
        "line": error.place.line,
        "column": error.place.column,
        "key": error.key,
        "message": error.message,
        "remedy": error.remedy,
        "text": text,
    }


def _told(path: Path, mistakes: list[Mistake]) -> list[str]:
    noun = "error" if len(mistakes) == 1 else "errors"
    return [
        *(str(mistake["text"]) for mistake in mistakes),
        f"{path}: {len(mistakes)} {noun}",
    ]
