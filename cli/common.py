"""What subcommands share: the controller's API, its errors in words, reading an operator's file."""

import argparse
from collections.abc import Callable
from pathlib import Path

from common.api import access_in, add_api_options
from common.commands import CommandError, Result, Run, Subparsers, add_command, be_command
from common.reason import ReasonError, check_reason
from common.reports import one_line
from controller.api.client import ApiClient
from controller.policy.grammar import POLICY_FILE

Ask = Callable[[argparse.Namespace, ApiClient], Result]


def be_api_command(parser: argparse.ArgumentParser, run: Ask, description: str, epilog: str) -> None:
    """Make a parser a command that uses the API."""
    be_command(parser, with_api(run), description, epilog)
    add_api_options(parser)


def add_api_command(
    commands: Subparsers, name: str, text: str, run: Ask, epilog: str
) -> argparse.ArgumentParser:
    """Add a command that uses the API below another one, with `text` as help and description."""
    parser = add_command(commands, name, text, with_api(run), epilog)
    add_api_options(parser)
    return parser


def add_change_command(
    commands: Subparsers, name: str, text: str, run: Ask, epilog: str
) -> argparse.ArgumentParser:
    """Do the same for a command that changes something through the API: it takes `--reason`."""
    parser = add_api_command(commands, name, text, run, epilog)
    add_reason_option(parser)
    return parser


def add_reason_option(parser: argparse.ArgumentParser) -> None:
    """Add `--reason`, which `with_api` sends with each request."""
    parser.add_argument(
        "--reason",
        type=_reason_of_argument,
        default="",
        metavar="TEXT",
        help="the reason, for the controller's journal and for colleagues who ask later",
    )


def _reason_of_argument(text: str) -> str:
    try:
        return check_reason(text)
    except ReasonError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def with_api(run: Ask) -> Run:
    """Wrap a command so that it gets the API, and an unexpected answer names its origin."""

    def wrapped(arguments: argparse.Namespace) -> Result:
        api = ApiClient(access_in(arguments), getattr(arguments, "reason", ""))
        try:
            return run(arguments, api)
        except UnicodeEncodeError as error:
            said = "this is not UTF-8 text; remedy: type it in a UTF-8 terminal"
            raise CommandError([f"{one_line(error.object)}: {said}"]) from error
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            error.add_note(f"the answers came from {api.address}: is a controller of this version there?")
            raise

    return wrapped


def read_policy_text(path: Path) -> dict[str, str]:
    """Return a policy in the form that the API accepts. Raise `CommandError` if it cannot be read."""
    return {"file": str(path), "text": read_text(path, POLICY_FILE.limits.size_bytes)}


def read_text(path: Path, most_bytes: int) -> str:
    """Return the text of an operator's file. Raise `CommandError` if it cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(most_bytes + 1)
        if len(raw) > most_bytes:
            raise CommandError([f"{path}: larger than {most_bytes} bytes; remedy: name another file"])
        return raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError([cannot_read(path, error)]) from error


def cannot_read(path: Path, error: Exception) -> str:
    """Return why an operator's file cannot be read, and what to do, in one line."""
    why, remedy = why_unreadable(error)
    return f"{path}: {why}; remedy: {remedy}"


def why_unreadable(error: Exception) -> tuple[str, str]:
    """Return why an operator's file cannot be read, and what to do."""
    match error:
        case UnicodeDecodeError():
            return f"cannot be read: not UTF-8 text: {error}", "name a text file, saved as UTF-8"
        case PermissionError():
            return f"cannot be read: {error.strerror}", "run this as a user who may read it"
    why = getattr(error, "strerror", None) or error
    return f"cannot be read: {why}", "name a file that can be read"
