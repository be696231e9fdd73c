"""`postern apply`: hand a policy to the running controller and wait until the switches confirm it."""

import argparse
import time
from pathlib import Path

from cli.common import Subparsers, read_policy_text, with_api
from common.api import add_api_options
from controller.api.client import ApiClient

_POLL_S = 0.1


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "apply",
        help="carry out a policy",
        description="Check a policy, carry it out, and wait until every connected switch has confirmed it. "
        "A bad policy changes nothing.",
    )
    parser.add_argument("file", type=Path, help="policy file (YAML)")
    parser.add_argument(
        "--timeout", type=float, default=15.0, metavar="S", help="seconds to wait (default 15)"
    )
    add_api_options(parser)
    parser.set_defaults(run=with_api(run))


def run(arguments: argparse.Namespace, api: ApiClient) -> int:
    revision = api.post("/v1/policy", read_policy_text(arguments.file))["revision"]
    deadline = time.monotonic() + arguments.timeout
    while True:
        status = api.get("/v1/status")
        waiting = [row for row in status["switches"] if row["connected"] and not _has(row, revision)]
        if not waiting or time.monotonic() > deadline:
            break
        time.sleep(_POLL_S)
    print(status["summary"])
    for row in status["switches"]:
        if not row["connected"]:
            print(f"  {row['name']}: not connected; it gets revision {revision} when it comes back")
        for problem in row["problems"]:
            print(f"  {row['name']}: {problem}")
    return 1 if waiting else 0


def _has(row: dict[str, int], revision: int) -> bool:
    return row["confirmed_revision"] >= revision
