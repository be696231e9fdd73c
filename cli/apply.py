"""`postern apply`: send a policy to the running controller and wait until the switches confirm it."""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.common import add_reason_option, be_api_command, read_policy_text
from common.commands import Result
from common.exit_codes import ExitCode
from common.options import duration_option
from common.terminal import Progress
from controller.api.client import ApiClient

_POLL_S = 0.1


def fill(parser: argparse.ArgumentParser) -> None:
    be_api_command(
        parser,
        _run,
        "Check a policy, apply it, and wait until every connected switch has confirmed it. "
        "A policy with errors changes nothing.",
        "example:\n  postern plan new.yaml && postern apply new.yaml --reason 'port 8080 for acme'",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="policy file (YAML)")
    parser.add_argument(
        "--timeout",
        type=duration_option("0s", "1d"),
        default="15s",
        metavar="DURATION",
        help="how long to wait (default: 15s)",
    )
    add_reason_option(parser)


def _run(arguments: argparse.Namespace, api: ApiClient) -> Result:
    progress: Progress = arguments.progress
    progress.show(f"{arguments.file}: the controller checks and compiles it")
    revision = api.post("/v1/policy", read_policy_text(arguments.file))["revision"]
    deadline = time.monotonic() + arguments.timeout
    while True:
        status = api.get("/v1/status")
        waiting = [row["name"] for row in status["switches"] if row["connected"] and not _has(row, revision)]
        if not waiting or time.monotonic() > deadline:
            break
        progress.show(f"revision {revision}: waiting for {', '.join(waiting)}")
        time.sleep(_POLL_S)
    lines = [status["summary"], *_remarks(status, revision)]
    return Result(
        {"revision": revision, "status": status}, lines, ExitCode.FAILED if waiting else ExitCode.OK
    )


def _has(row: dict[str, int], revision: int) -> bool:
    return row["confirmed_revision"] >= revision


def _remarks(status: dict[str, Any], revision: int) -> Iterator[str]:
    for row in status["switches"]:
        if not row["connected"]:
            yield f"  {row['name']}: not connected; it gets revision {revision} when it comes back"
        for problem in row["problems"]:
            yield f"  {row['name']}: {problem}"
