"""`postern schema`: the JSON Schema of a policy, for editors."""

import argparse
import json

from cli.common import Subparsers
from controller.policy.schema import policy_schema


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schema of a policy",
        description="Print the JSON Schema of policy files. Editors with a YAML language server take it from "
        "a first line such as: # yaml-language-server: $schema=postern.schema.json",
    )
    parser.set_defaults(run=run)


def run(_arguments: argparse.Namespace) -> int:
    print(json.dumps(policy_schema(), indent=2))
    return 0
