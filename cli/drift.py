"""`postern drift`: what switches hold that no rule asks for, what is missing, and what was repaired."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from cli.common import add_reason_option, be_api_command
from common.commands import Result
from common.exit_codes import ExitCode
from common.reports import one_line
from common.terminal import paint
from controller.api.client import ApiClient
from controller.reports.drift import NO_POLICY

_LONGEST = 400
_MOST_SHOWN = 20
_EPILOG = """\
Drift is any difference between what a switch holds now and what the policy and the decisions ask for.
For example, ovs-ofctl or ovs-vsctl was used by hand, another controller is connected, or a switch was changed
while the controller was not running. A difference is one of these:

  foreign    no rule asks for it; a foreign flow may let packets bypass the scanners
  changed    a rule asks for it, but the switch holds something else in its place
  missing    a rule asks for it, but the switch does not hold it

The policy key `drift` says what happens:
  repair     the switch is repaired at once, in one atomic step; open sessions stay as they are (default)
  report     nothing is sent; to repair the switch, run `postern apply` with the same policy

A difference that keeps returning is caused by a program. Find and stop it: on the switch's host,
`ovs-vsctl list controller` shows other controllers, and `ovs-appctl vlog/set vconn:dbg` logs all requests.

A port of the policy that is missing, or was taken down by a command, is a difference. Postern does not mend
it, since it may be maintenance, and the switch still counts as confirmed. Other settings of ports, the
handling of fragments, and eviction from tables are put back.

What a switch refuses is named with the switch's reason and a remedy, here and in `postern status`. It is sent
again after 2 s, then less and less often, every 30 s at least; `postern apply` sends it at once.

Bridges are compared with their last good state: their controllers, the collectors of NetFlow, sFlow and
IPFIX, the interface at each port, and its settings. If you have changed one of these yourself, accept it
(--accept); with `drift: repair` it is put back first, except for interfaces. Other controllers and collectors
that were there when Postern saw the bridge for the first time, and managers of Open vSwitch, are only named
until you accept or remove them. Mirrors, ports that the policy does not use, and settings that no bridge may
have (fail_mode=standalone, in-band control, other versions of OpenFlow, spanning tree) cannot be accepted.

Of a switch on another machine, or with POSTERN_SWITCH_DATABASE=off, OpenFlow shows the name of the interface
at each port. It is compared with the one that was there first; accept another one in the same way (--accept).

The exit code is 1 if any difference is open, if a switch refused the last repair, or if it is not known now
what a switch holds: it is not connected, does not answer, or was not read. A bridge that cannot be watched is
named. That is an error if its database cannot be read. It is none if the bridge is on another machine or
POSTERN_SWITCH_DATABASE is off: you know that, and a check that always fails shows nothing new.

examples:
  postern drift
  postern drift --json | jq '.open[].text'
  postern drift --accept s1 --reason 'new network card at port 4'
"""


def fill(parser: argparse.ArgumentParser) -> None:
    be_api_command(
        parser,
        _run,
        "Show how switches differ from what they should hold: open differences, the most serious first, and "
        "those that ended within the last hour.",
        _EPILOG,
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"show all differences that the controller remembers, not only {_MOST_SHOWN} of each list",
    )
    parser.add_argument("--accept", metavar="SWITCH", help="accept the bridge of a switch as it is now")
    add_reason_option(parser)


def _run(arguments: argparse.Namespace, api: ApiClient) -> Result:
    if arguments.accept:
        api.post(f"/v1/switches/{quote(arguments.accept, safe='')}", {"accepted": True})
    drift = api.get("/v1/drift")
    is_good = not drift["open_count"] and all(map(_is_good, drift["switches"])) and _has_policy(drift)
    return Result(drift, list(_lines(drift, arguments.all)), ExitCode.OK if is_good else ExitCode.FAILED)


def _is_good(switch: dict[str, Any]) -> bool:
    return not (switch["refusal"] or switch["unknown"] or switch["is_blind"])


def _has_policy(drift: dict[str, Any]) -> bool:
    return bool(drift["mode"] != NO_POLICY)


def _lines(drift: dict[str, Any], is_all: bool) -> Iterator[str]:
    most = None if is_all else _MOST_SHOWN
    opened, ended = drift["open"][:most], drift["ended"][:most]
    count = drift["open_count"]
    yield _summary(drift)
    for row in opened:
        yield paint(f"  ! {_what(row)}", "bad")
        yield from _about(row, f"since {_when(row['first_seen'])}{_often(row)}")
    if (hidden := count - len(opened)) > 0:
        yield f"    and {hidden} more{'' if is_all else '; --all shows them'}"
    for each in drift["switches"]:
        yield from _about_switch(each)
    if ended:
        yield "ended within the last hour:"
    for row in ended:
        yield f"  {_what(row)}"
        yield from _about(row, f"{row['ending']} {_when(row['ended_at'])}{_often(row)}")
    if (hidden := len(drift["ended"]) - len(ended)) > 0:
        yield f"    and {hidden} more; --all shows them"


def _summary(drift: dict[str, Any]) -> str:
    if not _has_policy(drift):
        return "no policy is in force yet, so nothing is compared"
    count, mode = drift["open_count"], drift["mode"]
    if count:
        return f"{count} {'difference' if count == 1 else 'differences'} open; drift: {mode}"
    unknown = sum(bool(each["unknown"]) for each in drift["switches"])
    of = f"{unknown} of {len(drift['switches'])} switches"
    return (
        f"no drift found, but {of} cannot be seen now; drift: {mode}"
        if unknown
        else f"no drift; drift: {mode}"
    )


def _about_switch(each: dict[str, Any]) -> Iterator[str]:
    if each["refusal"]:
        yield paint(f"  ! {each['name']} refused the last repair: {one_line(each['refusal'])}", "bad")
    if each["repairs"]:
        yield f"  {each['name']} was repaired {_times(each['repairs'])} within the last hour"
    if each["unknown"]:
        yield paint(f"  ! {each['name']}: {one_line(each['unknown'])}", "bad")
    else:
        yield f"  {each['name']} is {each['watched']}"
    if each["unwatched"]:
        said = one_line(each["unwatched"])
        yield paint(f"  ! {said}", "bad") if each["is_blind"] else f"  {said}"


def _what(row: dict[str, Any]) -> str:
    text, wanted = (one_line(row[key])[:_LONGEST] for key in ("text", "wanted"))
    said = f"{text}, instead of {wanted}" if text and wanted else text or wanted
    return f"{row['switch']}: {row['change']} {row['kind']}: {said}"


def _about(row: dict[str, Any], when: str) -> Iterator[str]:
    if row["rule"]:
        place = f" ({row['place']})" if row["place"] else ""
        yield f"      belongs to {row['rule']}{place}"
    if row["remedy"] and not row["ending"]:
        yield f"      remedy: {one_line(row['remedy'])[:_LONGEST]}"
    yield paint(f"      {when}", "dim")


def _often(row: dict[str, Any]) -> str:
    return f", found {_times(row['times'])}" if row["times"] > 1 else ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _when(utc: float) -> str:
    return datetime.fromtimestamp(utc, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
