"""`postern schema`: the JSON Schema of a policy, a persona or sensors' settings, for editors."""

import argparse
import json

from cli.common import Subparsers
from cli.documents import KINDS, load_kind
from common.config.schema import build_schema


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schema of a kind of file",
        description="Print the JSON Schema of policies, personas or settings of sensors. Editors with a YAML "
        "language server take it from a first line such as: "
        "# yaml-language-server: $schema=postern.schema.json",
    )
    parser.add_argument(
        "kind", nargs="?", choices=KINDS, default=KINDS[0], help="kind of file (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    print(json.dumps(build_schema(load_kind(arguments.kind).document), indent=2))
    return 0
