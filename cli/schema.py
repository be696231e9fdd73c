"""`postern schema`: the JSON Schema of a policy, for editors."""

import argparse
import json

from common.commands import Result, be_command
from controller.policy.schema import policy_schema


def fill(parser: argparse.ArgumentParser) -> None:
    be_command(
        parser,
        _run,
        "Print the JSON Schema of policy files. Editors with a YAML language server take it from "
        "a first line such as: # yaml-language-server: $schema=postern.schema.json",
        "example:\n  postern schema > postern.schema.json",
        has_json=False,
    )


def _run(_arguments: argparse.Namespace) -> Result:
    schema = policy_schema()
    return Result(schema, [json.dumps(schema, indent=2)])
