"""`postern schema`: the JSON Schema of a policy, a persona or sensors' settings, for editors."""

import argparse
import json

from cli.documents import KINDS, load_kind
from common.commands import Result, be_command
from common.config.schema import build_schema


def fill(parser: argparse.ArgumentParser) -> None:
    be_command(
        parser,
        _run,
        "Print the JSON Schema of policies, personas or settings of sensors. Editors with a YAML language "
        "server take it from a first line such as: # yaml-language-server: $schema=postern.schema.json",
        "example:\n  postern schema > postern.schema.json",
    )
    parser.add_argument(
        "kind", nargs="?", choices=KINDS, default=KINDS[0], help=f"kind of file (default: {KINDS[0]})"
    )


def _run(arguments: argparse.Namespace) -> Result:
    schema = build_schema(load_kind(arguments.kind).document)
    return Result(schema, [json.dumps(schema, indent=2)])
