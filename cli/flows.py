"""`postern flows`: the whole pipeline of a switch in words, from the controller or from a policy file."""

import argparse
from pathlib import Path

from cli.common import be_api_command, cannot_read
from common.commands import CommandError, Result
from common.config.errors import ConfigErrors
from controller.api.client import ApiClient
from controller.compiler.compile import compile_policy
from controller.compiler.errors import CompileError
from controller.policy.parse import read_policy
from controller.reports.edge import show_flows


def fill(parser: argparse.ArgumentParser) -> None:
    be_api_command(
        parser,
        _run,
        "Print every flow with names instead of numbers: those of the accepted policy, "
        "or, with --policy, what a file would compile to (no controller is needed).",
        "example:\n  postern flows s1 --policy policies/demo.yaml",
    )
    parser.add_argument("switch", nargs="?", default="", metavar="SWITCH", help="only this switch")
    parser.add_argument(
        "--policy", type=Path, metavar="FILE", help="compile this file instead of asking the controller"
    )


def _run(arguments: argparse.Namespace, api: ApiClient) -> Result:
    found = _compiled(arguments.policy) if arguments.policy else api.get("/v1/flows")
    return _chosen(arguments.switch, found)


def _compiled(file: Path) -> dict[str, list[str]]:
    try:
        policy = read_policy(file)
        return show_flows(policy, compile_policy(policy))
    except (ConfigErrors, CompileError) as error:
        raise CommandError([str(error)]) from error
    except OSError as error:
        raise CommandError([cannot_read(file, error)]) from error


def _chosen(switch: str, lines_by_switch: dict[str, list[str]]) -> Result:
    if switch and switch not in lines_by_switch:
        known = ", ".join(lines_by_switch) or "none"
        raise CommandError([f"no switch {switch}; the policy has: {known}"])
    chosen = {name: lines for name, lines in lines_by_switch.items() if switch in ("", name)}
    text = [line for name, lines in chosen.items() for line in (f"{name}:", *(f"  {each}" for each in lines))]
    return Result(chosen, text)
