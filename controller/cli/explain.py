"""`postern explain`: from a cookie or a rule to the line of the policy, and back to the flows."""

import argparse
import sys

from controller.api.client import ApiClient
from controller.cli.common import Subparsers, add_api_option, with_api


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "explain",
        help="say why a flow exists",
        description="Give a cookie from `ovs-ofctl dump-flows`, or a rule such as tenants.acme.mail: "
        "prints the line of the policy and every flow that it asked for.",
    )
    parser.add_argument("what", help="cookie (0x9057...) or rule path (tenants.acme.mail)")
    add_api_option(parser)
    parser.set_defaults(run=with_api(run))


def run(arguments: argparse.Namespace, api: ApiClient) -> int:
    answer = api.explain(arguments.what)
    if not answer["found"]:
        print(f"{arguments.what}: {answer['why']}", file=sys.stderr)
        return 1
    for rule in answer["rules"]:
        print(f"{rule['rule']}\n  written at {rule['place']}")
    print(f"flows of revision {answer['revision']}:")
    for row in answer["flows"]:
        print(f"  {row['switch']} cookie={row['cookie']} {row['flow']}")
    return 0
