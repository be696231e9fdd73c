"""What subcommands share: the API's address, its errors in words, reading a policy to send."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller.api.client import DEFAULT_API, ApiClient, ApiError

Subparsers = Any  # argparse keeps the type of add_subparsers() private


def add_api_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--api",
        default="",
        metavar="ADDRESS",
        help=f"the controller's API (default: $POSTERN_API, else {DEFAULT_API})",
    )


def add_command(
    commands: Any, name: str, text: str, run: Callable[[argparse.Namespace, ApiClient], int]
) -> argparse.ArgumentParser:
    """Add a command below a subcommand: one that asks the API, with `text` as help and description."""
    description = f"{text[0].upper()}{text[1:]}."
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=description)
    add_api_option(parser)
    parser.set_defaults(run=with_api(run))
    return parser


def with_api(run: Callable[[argparse.Namespace, ApiClient], int]) -> Callable[[argparse.Namespace], int]:
    """Wrap a command so that it is given the API, and a refusal is told on standard error."""

    def wrapped(arguments: argparse.Namespace) -> int:
        try:
            return run(arguments, ApiClient(arguments.api))
        except ApiError as error:
            for text in error.errors:
                print(text, file=sys.stderr)
            return 1

    return wrapped


def read_policy_text(path: Path) -> dict[str, str]:
    """Return what the API takes as a policy. Raise `ApiError` if the file cannot be read."""
    try:
        return {"file": str(path), "text": path.read_text(encoding="utf-8")}
    except (OSError, UnicodeDecodeError) as error:
        raise ApiError([f"{path}: cannot be read: {error}"]) from error
