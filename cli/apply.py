"""`postern apply`: send a policy to the running controller and wait until the switches confirm it."""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.common import add_reason_option, be_api_command, read_policy_text
from cli.plans import delivery_lines, is_as_planned, read_plan, summary_lines
from common.commands import CommandError, Result, UsageError
from common.exit_codes import ExitCode
from common.options import duration_option
from common.terminal import Progress
from common.wire.codec import to_media
from controller.api.client import ApiClient

_POLL_S = 0.1
_WAITS = "remedy: try again later, see ProofNotFinished in the journal, or use --unproved with --reason"
_EPILOG = """\
examples:
  postern plan new.yaml && postern apply new.yaml --reason 'port 8080 for acme'
  postern plan new.yaml --out change.plan      then, once a colleague has read it:
  postern apply --plan change.plan             refused if it would no longer do what was planned
  postern apply new.yaml --unproved --reason 'ticket 4711: the proof takes too long'
"""


def fill(parser: argparse.ArgumentParser) -> None:
    be_api_command(
        parser,
        _run,
        "Check a policy, prove it, apply it, and wait until every connected switch holds exactly that. What "
        "others have changed on switches is put right, even with `drift: report`; if a difference stays, the "
        "exit code is 1. Prints what changes, and what each switch was sent. If the policy has errors or its "
        "proof fails, nothing changes; of a failed proof, a packet that would get through is printed.",
        _EPILOG,
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="policy file (YAML)")
    parser.add_argument(
        "--plan",
        type=Path,
        metavar="PLAN",
        help="apply a saved plan instead of FILE; refused if it would no longer do what was planned",
    )
    parser.add_argument(
        "--timeout",
        type=duration_option("0s", "1d"),
        default="2m",
        metavar="DURATION",
        help="how long to wait for the proof and for the switches (default: 2m)",
    )
    parser.add_argument(
        "--unproved",
        action="store_true",
        help="apply the policy without waiting for its proof; needs --reason; `postern status` shows it",
    )
    add_reason_option(parser)


def _run(arguments: argparse.Namespace, api: ApiClient) -> Result:
    if (arguments.file is None) == (arguments.plan is None):
        raise UsageError(arguments.chosen, "give either FILE or --plan PLAN")
    if arguments.unproved and not arguments.reason:
        raise UsageError(arguments.chosen, "--unproved needs a --reason, for the journal")
    progress: Progress = arguments.progress
    progress.show(f"{arguments.file or arguments.plan}: the controller checks and compiles it")
    deadline = time.monotonic() + arguments.timeout
    applied = _applied(arguments, api, deadline)
    revision, plan = applied["revision"], applied.get("plan")
    status, waiting = _await(api, revision, deadline, progress)
    rows = _delivery(api, revision, status, deadline)
    lines = [
        *(summary_lines(plan) if plan else ()),
        *delivery_lines(rows),
        status["summary"],
        *_remarks(status, revision),
    ]
    facts = {"revision": revision, "status": status, "plan": plan, "delivery": rows}
    is_good = not waiting and is_as_planned(rows)
    return Result(facts, lines, ExitCode.OK if is_good else ExitCode.FAILED)


def _applied(arguments: argparse.Namespace, api: ApiClient, deadline: float) -> dict[str, Any]:
    """Return the controller's answer once the policy is proved and accepted."""
    wanted = {**_wanted(arguments), "describe": True, "unproved": arguments.unproved}
    progress: Progress = arguments.progress
    while why := (answer := api.post("/v1/policy", wanted)).get("waiting"):
        if time.monotonic() > deadline:
            raise CommandError([f"nothing has changed: {why}; {_WAITS}"])
        progress.show(f"waiting for the proof: {why}")
        time.sleep(_POLL_S)
    return dict(answer)


def _wanted(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.plan is None:
        return dict(read_policy_text(arguments.file))
    saved = read_plan(arguments.plan)
    return {"file": saved.file, "text": saved.text, "state": to_media(saved.state)}


def _await(
    api: ApiClient, revision: int, deadline: float, progress: Progress
) -> tuple[dict[str, Any], list[str]]:
    """Return the status, and the connected switches that do not hold exactly the revision.

    They are waited for as long as more is to come, for example a repair of what others have changed.
    """
    while True:
        status = api.get("/v1/status")
        lacking = [row for row in status["switches"] if row["connected"] and not _has(row, revision)]
        waiting = [row["name"] for row in lacking]
        is_final = not any(row.get("busy", True) for row in lacking)
        if is_final or time.monotonic() > deadline:
            return status, waiting
        progress.show(f"revision {revision}: waiting for {', '.join(waiting)}")
        time.sleep(_POLL_S)


def _delivery(api: ApiClient, revision: int, status: dict[str, Any], deadline: float) -> list[dict[str, Any]]:
    """Return what switches were sent for the revision; nothing if another one was accepted since.

    Flows of decisions may follow those of the policy, so connected switches get the time until the deadline.
    """
    connected = {row["name"] for row in status["switches"] if row["connected"]}
    while True:
        found = api.get("/v1/policy/delivery")
        rows = list(found["switches"]) if found["revision"] == revision else []
        if all(row["is_done"] for row in rows if row["switch"] in connected) or time.monotonic() > deadline:
            return rows
        time.sleep(_POLL_S)


def _has(row: dict[str, Any], revision: int) -> bool:
    """Return whether a switch holds exactly the revision now. A controller of 0.1 says less."""
    return bool(row["confirmed_revision"] >= revision and row.get("confirmed", True))


def _why_not(row: dict[str, Any], revision: int) -> str:
    if row.get("busy", True):
        return f"it was not in step in time ({row['phase']})"
    return f"it was sent revision {revision}, but does not hold exactly that; remedy: see postern drift"


def _remarks(status: dict[str, Any], revision: int) -> Iterator[str]:
    for row in status["switches"]:
        if not row["connected"]:
            yield f"  {row['name']}: not connected; it gets revision {revision} when it comes back"
        elif not _has(row, revision):
            yield f"  {row['name']}: NOT CONFIRMED: {_why_not(row, revision)}"
        for problem in row["problems"]:
            yield f"  {row['name']}: {problem}"
