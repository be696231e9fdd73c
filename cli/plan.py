"""`postern plan`: what would change in the switches if this policy were applied."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.common import be_api_command, read_policy_text
from common.commands import Result
from controller.api.client import ApiClient


def fill(parser: argparse.ArgumentParser) -> None:
    be_api_command(
        parser,
        _run,
        "Compile a policy and show which flows would be added (+) and removed (-) on each switch. "
        "Nothing is changed.",
        "example:\n  postern plan new.yaml",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="policy file (YAML)")


def _run(arguments: argparse.Namespace, api: ApiClient) -> Result:
    answer = api.post("/v1/plan", read_policy_text(arguments.file))
    return Result(answer, list(_lines(answer)))


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    for name, change in answer["switches"].items():
        yield f"{name}: {answer['plans'].get(name, 'no longer in the policy')}"
        yield from (f"  - {line}" for line in change["removed"])
        yield from (f"  + {line}" for line in change["added"])
    yield from (f"! {warning}" for warning in answer["warnings"])
    if not any(change["added"] or change["removed"] for change in answer["switches"].values()):
        yield "nothing would change"
