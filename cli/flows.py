"""`postern flows`: the whole pipeline of a switch in words, from the controller or from a policy file."""

import argparse
from pathlib import Path
from urllib.parse import quote

from cli.common import be_api_command, cannot_read
from cli.receipts import counters
from common.commands import CommandError, Result, UsageError
from common.config.errors import ConfigErrors
from common.exit_codes import ExitCode
from controller.api.client import ApiClient
from controller.compiler.compile import compile_policy
from controller.compiler.errors import CompileError
from controller.policy.parse import read_policy
from controller.reports.edge import show_flows
from controller.sync.receipts import Held


def fill(parser: argparse.ArgumentParser) -> None:
    be_api_command(
        parser,
        _run,
        "Print every flow with names instead of numbers: those of the accepted policy, "
        "or, with --policy, what a file would compile to (no controller is needed). With --counts, ask the "
        "switches whether they hold each flow now, and how many packets matched; the exit code is 0 only if "
        "they hold all of them.",
        "examples:\n  postern flows s1 --policy policies/demo.yaml\n  postern flows s1 --counts",
    )
    parser.add_argument("switch", nargs="?", default="", metavar="SWITCH", help="only this switch")
    parser.add_argument(
        "--policy", type=Path, metavar="FILE", help="compile this file instead of asking the controller"
    )
    parser.add_argument(
        "--counts", action="store_true", help="show for each flow whether it is installed, and its counters"
    )


def _run(arguments: argparse.Namespace, api: ApiClient) -> Result:
    if arguments.policy and arguments.counts:
        raise UsageError(arguments.chosen, "--counts are those of switches, not of a file")
    if arguments.counts:
        return _counted(arguments.switch, api)
    found = _compiled(arguments.policy) if arguments.policy else api.get("/v1/flows")
    return _chosen(arguments.switch, found)


def _counted(switch: str, api: ApiClient) -> Result:
    found = api.get(f"/v1/flows?counts=true&switch={quote(switch, safe='')}")
    if switch and switch not in found:
        raise CommandError([f"no switch {switch}; remedy: postern status lists them"])
    lines = []
    for name, rows in found.items():
        lines += [f"{name}:", *(f"  {row['state']:<13}  {counters(row):<24}  {row['flow']}" for row in rows)]
    is_good = all(row["state"] == Held.INSTALLED for rows in found.values() for row in rows)
    return Result(found, lines, ExitCode.OK if is_good else ExitCode.FAILED)


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
