"""`postern plan`: what would change in the switches if this policy were applied."""

import argparse
from pathlib import Path

from cli.common import Subparsers, read_policy_text, with_api
from common.api import add_api_options
from controller.api.client import ApiClient


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "plan",
        help="show what a policy would change, and change nothing",
        description="Compile a policy and show which flows would come (+) and go (-) on each switch.",
    )
    parser.add_argument("file", type=Path, help="policy file (YAML)")
    add_api_options(parser)
    parser.set_defaults(run=with_api(run))


def run(arguments: argparse.Namespace, api: ApiClient) -> int:
    answer = api.post("/v1/plan", read_policy_text(arguments.file))
    for name, change in answer["switches"].items():
        print(f"{name}: {answer['plans'].get(name, 'no longer in the policy')}")
        for line in change["removed"]:
            print(f"  - {line}")
        for line in change["added"]:
            print(f"  + {line}")
    for warning in answer["warnings"]:
        print(f"! {warning}")
    if not any(change["added"] or change["removed"] for change in answer["switches"].values()):
        print("nothing would change")
    return 0
