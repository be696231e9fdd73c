"""`postern plan`: what would change if this policy were applied now."""

import argparse
from pathlib import Path

from cli.common import be_api_command, read_policy_text
from cli.plans import plan_lines, save_plan
from common.commands import Result
from common.exit_codes import ExitCode
from controller.api.client import ApiClient

_EPILOG = """\
examples:
  postern plan new.yaml                        what changes for which tenant, pool, member and switch
  postern plan new.yaml --flows                the same, and each flow that would be added (+) or removed (-)
  postern plan new.yaml --out change.plan      save it; then: postern apply --plan change.plan
"""


def fill(parser: argparse.ArgumentParser) -> None:
    be_api_command(
        parser,
        _run,
        "Show what `postern apply` would do now, given the current state of all members, ports, trunks and "
        "switches: what changes for which tenant, how many open sessions stay, what each switch would be "
        "sent, and which settings of switches and ports would be put back. Changes nothing.",
        _EPILOG,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="policy file (YAML)")
    parser.add_argument("--flows", action="store_true", help="show each flow, group and meter that changes")
    parser.add_argument(
        "--out", type=Path, metavar="PLAN", help="save the plan in this file, for `postern apply --plan`"
    )
    parser.add_argument(
        "--detailed-exitcode",
        action="store_true",
        help=f"exit with {ExitCode.CHANGES.value} if something would change, with 0 if nothing would",
    )


def _run(arguments: argparse.Namespace, api: ApiClient) -> Result:
    policy = read_policy_text(arguments.file)
    answer = api.post("/v1/plan", {**policy, "flows": arguments.flows})
    lines = list(plan_lines(answer, arguments.flows))
    if arguments.out:
        save_plan(arguments.out, policy, answer)
        lines.append(f"saved; to apply exactly this: postern apply --plan {arguments.out}")
    has_changes = arguments.detailed_exitcode and not answer["is_empty"]
    return Result(answer, lines, ExitCode.CHANGES if has_changes else ExitCode.OK)
