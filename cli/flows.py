"""`postern flows`: the whole pipeline of a switch in words, from the controller or from a policy file."""

import argparse
import sys
from pathlib import Path

from cli.common import Subparsers, cannot_read, with_api
from common.api import add_api_options
from controller.api.client import ApiClient
from controller.compiler.compile import compile_policy
from controller.compiler.errors import CompileError
from controller.errors import PolicyErrors
from controller.policy.parse import read_policy
from controller.reports.edge import show_flows


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "flows",
        help="print the flows of the edge in words",
        description="Print every flow with names instead of numbers: what the controller has accepted, "
        "or, with --policy, what a file would compile to (no controller needed).",
    )
    parser.add_argument("switch", nargs="?", default="", help="only this switch")
    parser.add_argument("--policy", type=Path, help="compile this file instead of asking the controller")
    add_api_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.policy is None:
        return with_api(lambda _, api: _print(arguments.switch, _accepted(api)))(arguments)
    try:
        policy = read_policy(arguments.policy)
        return _print(arguments.switch, show_flows(policy, compile_policy(policy)))
    except (PolicyErrors, CompileError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(cannot_read(arguments.policy, error), file=sys.stderr)
        return 1


def _accepted(api: ApiClient) -> dict[str, list[str]]:
    flows: dict[str, list[str]] = api.get("/v1/flows")
    return flows


def _print(switch: str, lines_by_switch: dict[str, list[str]]) -> int:
    if switch and switch not in lines_by_switch:
        known = ", ".join(lines_by_switch) or "none"
        print(f"no switch {switch}; the policy has: {known}", file=sys.stderr)
        return 1
    for name, lines in lines_by_switch.items():
        if switch in ("", name):
            print(f"{name}:")
            for line in lines:
                print(f"  {line}")
    return 0
