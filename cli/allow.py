"""`postern allow`: sources that pass regardless of any decision."""

import argparse
from typing import Any

from cli.common import add_api_command, add_change_command
from cli.decisions import DURATION, when
from cli.receipts import is_confirmed, receipt_lines, summary
from common.commands import Result, Subparsers, explain
from common.exit_codes import ExitCode
from common.options import number_option
from common.wire.codec import to_media
from common.wire.decisions import RequestedAllowance
from controller.api.client import ApiClient


def fill(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Manage the allow-list. Sources on it always pass, regardless of any decision.",
        "example:\n  postern allow add 198.51.100.0/24 --comment 'monitoring of acme' --for 7d",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_add(commands)
    add_api_command(
        commands,
        "list",
        "list the allow-list, and whether the switches hold it now",
        _list,
        "example:\n  postern allow list --json",
    )
    delete = add_change_command(
        commands,
        "delete",
        "remove an entry from the allow-list",
        _delete,
        "example:\n  postern allow delete 3",
    )
    delete.add_argument(
        "id", type=number_option(), metavar="ID", help="number, as `postern allow list` shows it"
    )


def _add_add(commands: Subparsers) -> None:
    add = add_change_command(
        commands,
        "add",
        "add a source to the allow-list",
        _allow,
        "example:\n  postern allow add 198.51.100.7 --comment 'penetration test' --for 4h",
    )
    add.add_argument("value", metavar="ADDRESS", help="address or prefix")
    add.add_argument("--comment", required=True, help="kept with the entry, for colleagues who ask later")
    add.add_argument(
        "--for",
        dest="duration_s",
        type=DURATION,
        metavar="DURATION",
        default=0,
        help="30m, 4h, 7d (default: no end)",
    )


def _allow(arguments: argparse.Namespace, api: ApiClient) -> Result:
    request = RequestedAllowance(arguments.value, arguments.comment, arguments.duration_s)
    allowance = api.post("/v1/allow", to_media(request))
    receipt = allowance["receipt"]
    lines = [_line(allowance), *(receipt_lines(receipt) if receipt else ())]
    is_good = allowance["is_confirmed"] and (receipt is None or is_confirmed(receipt))
    return Result(allowance, lines, ExitCode.OK if is_good else ExitCode.FAILED)


def _list(_arguments: argparse.Namespace, api: ApiClient) -> Result:
    allowances = api.get("/v1/allow?receipts=true")
    lines = [f"{_line(each)}  {summary(each.get('receipt'))}".rstrip() for each in allowances]
    is_good = all(is_confirmed(each["receipt"]) for each in allowances if "receipt" in each)
    return Result(allowances, lines, ExitCode.OK if is_good else ExitCode.FAILED)


def _delete(arguments: argparse.Namespace, api: ApiClient) -> Result:
    allowance = api.delete(f"/v1/allow/{arguments.id}")
    state = "removed from every switch" if allowance["is_confirmed"] else "NOT YET CONFIRMED by every switch"
    code = ExitCode.OK if allowance["is_confirmed"] else ExitCode.FAILED
    return Result(allowance, [f"{state}: {_line(allowance)}"], code)


def _line(allowance: dict[str, Any]) -> str:
    until = f"until {when(allowance['until'])}" if allowance["until"] else "no expiry"
    return f"{allowance['id']:>7}  {allowance['value']:<22} {until}  {allowance['comment']}"
