"""`postern status`: what each switch has confirmed, and what is wrong, at a glance."""

import argparse
from collections.abc import Iterator
from typing import Any

from cli.common import be_api_command
from common.commands import Result
from common.exit_codes import ExitCode
from common.terminal import paint
from controller.api.client import ApiClient


def fill(parser: argparse.ArgumentParser) -> None:
    be_api_command(
        parser,
        _run,
        "Show the accepted revision and whether each switch has confirmed it. Also show which pools "
        "have no available member, and the effect on mail. The exit code is 0 only if nothing is wrong.",
        "example:\n  postern status --api unix:/run/postern/lab/api.sock",
    )


def _run(_arguments: argparse.Namespace, api: ApiClient) -> Result:
    status = api.get("/v1/status")
    is_good = status["state"] == "confirmed" and not status["pools"]
    return Result(status, list(_lines(status)), ExitCode.OK if is_good else ExitCode.FAILED)


def _lines(status: dict[str, Any]) -> Iterator[str]:
    yield f"{status.get('summary', status['state'])}  ({status['policy_file']})"
    for row in status["switches"]:
        where = row["phase"] if row["connected"] else "not connected"
        yield (
            f"  {row['name']:<12} {where:<14} revision {row['confirmed_revision']:<6} "
            f"{row['flows']} flows, {row['packet_ins']} packet-ins"
        )
        yield from (paint(f"    ! {problem}", "bad") for problem in row["problems"])
    for trouble in (*status["pools"], *status["floods"], *status["cabling"]):
        yield paint(f"  ! {trouble}", "bad")
    for dpid in status["unknown_switches"]:
        yield f"  ! a switch with dpid {dpid} is connected, but not in the policy; Postern does not change it"
