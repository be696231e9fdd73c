"""`postern status`: what each switch has confirmed, and what is wrong, at a glance."""

import argparse
from collections.abc import Iterator
from typing import Any

from cli.common import be_api_command
from common.commands import Result
from common.exit_codes import ExitCode
from common.terminal import paint
from controller.api.client import ApiClient
from controller.sync.watch import Monitoring


def fill(parser: argparse.ArgumentParser) -> None:
    be_api_command(
        parser,
        _run,
        "Show the accepted revision and whether each switch has confirmed it. Also show which pools "
        "have no available member, the effect on mail, and members whose agents are silent. "
        "The exit code is 0 only if nothing is wrong.",
        "example:\n  postern status --api unix:/run/postern/lab/api.sock",
    )


def _run(_arguments: argparse.Namespace, api: ApiClient) -> Result:
    status = api.get("/v1/status")
    code = ExitCode.OK if _is_good(status) else ExitCode.FAILED
    return Result(status, list(_lines(status)), code)


def _is_good(status: dict[str, Any]) -> bool:
    are_switches_good = all(row["connected"] and not row["problems"] for row in status["switches"])
    return status["state"] == "confirmed" and are_switches_good and not _troubles(status)


def _lines(status: dict[str, Any]) -> Iterator[str]:
    yield f"{status.get('summary', status['state'])}  ({status['policy_file']})"
    yield f"  {status['proof']['summary']}"
    for row in status["switches"]:
        where = row["phase"] if row["connected"] else "not connected"
        yield (
            f"  {row['name']:<12} {where:<14} revision {row['confirmed_revision']:<6} "
            f"{row['flows']} flows, {row['packet_ins']} packet-ins"
        )
        if row["connected"] and row["watched"] != Monitoring.ON:
            yield f"    {row['watched']}"
        if row["repairs"]:
            times = "once" if row["repairs"] == 1 else f"{row['repairs']} times"
            yield f"    another client changes it: repaired {times} within the last hour; see: postern drift"
        yield from (paint(f"    ! {problem}", "bad") for problem in row["problems"])
    yield from (paint(f"  ! {trouble}", "bad") for trouble in _troubles(status))
    yield from (f"  {note}" for note in status.get("unwatched", ()))


def _troubles(status: dict[str, Any]) -> list[str]:
    """Return what is wrong with the edge as a whole, not with one switch of the policy."""
    strangers = [
        f"a switch with dpid {dpid} is connected, but not in the policy; Postern does not change it"
        for dpid in status["unknown_switches"]
    ]
    unheard = status.get("unheard", ())  # not from a controller of the last release
    proof, pools = status["proof"]["problems"], status["pools"]
    return [*proof, *pools, *unheard, *status["floods"], *status["cabling"], *strangers]
