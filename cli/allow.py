"""`postern allow`: sources that pass whatever is decided about them."""

import argparse
from typing import Any

from cli.common import Subparsers, add_command
from cli.decisions import when
from common.config.kinds import Wrong, duration
from controller.api.client import ApiClient, ApiError

_DURATION = duration("1s", "400d")


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "allow",
        help="let sources pass, whatever is decided about them",
        description="The allow-list: it always wins over decisions.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add = add_command(commands, "add", "let a source pass", _allow)
    add.add_argument("value", help="address or prefix")
    add.add_argument("--comment", required=True, help="why, for whoever asks later")
    add.add_argument("--for", dest="duration", default="", help="30m, 4h, 7d (default: for good)")
    add_command(commands, "list", "list the sources that pass", _list)
    delete = add_command(commands, "delete", "let it pass no more", _delete)
    delete.add_argument("id", type=int, metavar="ID")


def _allow(arguments: argparse.Namespace, api: ApiClient) -> int:
    try:
        seconds = _DURATION.read(arguments.duration) if arguments.duration else 0
    except Wrong as error:
        raise ApiError([f"{error.message}; remedy: {error.remedy}"]) from error
    request = {"value": arguments.value, "comment": arguments.comment, "duration_s": seconds}
    print(_line(api.post("/v1/allow", request)))
    return 0


def _list(_arguments: argparse.Namespace, api: ApiClient) -> int:
    for allowance in api.get("/v1/allow"):
        print(_line(allowance))
    return 0


def _delete(arguments: argparse.Namespace, api: ApiClient) -> int:
    print(f"passes no more: {_line(api.delete(f'/v1/allow/{arguments.id}'))}")
    return 0


def _line(allowance: dict[str, Any]) -> str:
    until = f"until {when(allowance['until'])}" if allowance["until"] else "for good"
    return f"{allowance['id']:>7}  {allowance['value']:<22} {until}  {allowance['comment']}"
