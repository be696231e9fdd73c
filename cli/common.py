"""What subcommands share: the API's address, its errors in words, reading a policy to send."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.api import access_in, add_api_options
from common.reports import one_line
from controller.api.client import ApiClient, ApiError
from controller.policy.nodes import MAX_BYTES

Subparsers = Any  # argparse keeps the type of add_subparsers() private


def add_command(
    commands: Any, name: str, text: str, run: Callable[[argparse.Namespace, ApiClient], int]
) -> argparse.ArgumentParser:
    """Add a command below a subcommand: one that asks the API, with `text` as help and description."""
    description = f"{text[0].upper()}{text[1:]}."
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=description)
    add_api_options(parser)
    parser.set_defaults(run=with_api(run))
    return parser


def with_api(run: Callable[[argparse.Namespace, ApiClient], int]) -> Callable[[argparse.Namespace], int]:
    """Wrap a command so that it is given the API, and a refusal is told on standard error."""

    def wrapped(arguments: argparse.Namespace) -> int:
        api = ApiClient(access_in(arguments))
        try:
            return run(arguments, api)
        except ApiError as error:
            for text in error.errors:
                print(text, file=sys.stderr)
            return 1
        except UnicodeEncodeError as error:
            print(
                f"{one_line(error.object)}: this is not UTF-8 text; remedy: type it in a UTF-8 terminal",
                file=sys.stderr,
            )
            return 1
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            error.add_note(f"the answers came from {api.address}: is a controller of this version there?")
            raise

    return wrapped


def read_policy_text(path: Path) -> dict[str, str]:
    """Return what the API takes as a policy. Raise `ApiError` if the file cannot be read."""
    return {"file": str(path), "text": read_text(path, MAX_BYTES)}


def read_text(path: Path, most_bytes: int) -> str:
    """Return the text of a file of the operator's. Raise `ApiError` if it cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(most_bytes + 1)
        if len(raw) > most_bytes:
            raise ApiError([f"{path}: larger than {most_bytes} bytes; remedy: name another file"])
        return raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ApiError([cannot_read(path, error)]) from error


def cannot_read(path: Path, error: Exception) -> str:
    """Say why a file of the operator's cannot be read, and what to do."""
    match error:
        case UnicodeDecodeError():
            return (
                f"{path}: cannot be read: not UTF-8 text: {error}; remedy: name a text file, saved as UTF-8"
            )
        case PermissionError():
            return f"{path}: cannot be read: {error.strerror}; remedy: run this as a user who may read it"
    why = getattr(error, "strerror", None) or error
    return f"{path}: cannot be read: {why}; remedy: name a file that can be read"
