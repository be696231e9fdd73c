"""`postern pool`: who takes new sessions, who only finishes old ones; and rolling through a pool."""

import argparse
import subprocess
import sys
import time
from typing import Any
from urllib.parse import quote

from cli.common import Subparsers, add_command
from controller.api.client import ApiClient, ApiError

_POLL_S = 0.5
_TRIES = 15  # each waits two seconds for the switches
_EPILOG = """\
states:
  joining    not yet proved well: no new sessions until its agent's first good report
  up         takes new sessions, by its weight; right after it came up, fewer
  full       at its limit; gets new sessions again when it is below nine tenths of it
  stale      well, but its signatures are too old: new sessions only when no fresh member is up
  held       well again, but it went down too often: held down for a while, each time longer
  draining   keeps its sessions, gets no new ones
  empty      draining, and its last session has ended: safe to stop
  leaving    no longer in the policy; finishing its sessions
  down       its switch port is down, or its agent's reports are bad; new sessions go to the others

  postern pool roll proxies --command 'ssh {member} systemctl restart postern-mail'
"""


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "pool",
        help="pools at a glance; drain members, roll through a pool",
        description="Show pools and change who takes new sessions. No session is ever moved.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_command(commands, "list", "list pools and members, with their open sessions", _list)
    drain = add_command(commands, "drain", "give a member no new sessions; it keeps those it has", _drain)
    _add_member(drain)
    drain.add_argument("--wait", action="store_true", help="return when its last session has ended")
    _add_patience(drain)
    resume = add_command(
        commands, "resume", "give a member new sessions again, also one that is held down", _resume
    )
    _add_member(resume)
    roll = add_command(
        commands, "roll", "drain, restart and resume every member of a pool, one by one", _roll
    )
    roll.add_argument("pool", metavar="POOL")
    roll.add_argument(
        "--command", required=True, help="what restarts a member once it is empty; {member} is its name"
    )
    _add_patience(roll)


def _add_member(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("member", metavar="MEMBER", help="NAME, or POOL.NAME where several pools have one")


def _add_patience(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--patience",
        type=float,
        default=600.0,
        metavar="S",
        help="give up waiting after S seconds (default: 600)",
    )


def _list(_arguments: argparse.Namespace, api: ApiClient) -> int:
    is_good = True
    for pool in api.get("/v1/pools"):
        is_good &= not pool["troubles"]
        print(f"{pool['name']} ({pool['kind']})")
        for trouble in pool["troubles"]:
            print(f"  ! {trouble}")
        for member in pool["members"]:
            print(_line(member))
    return 0 if is_good else 1


def _line(member: dict[str, Any]) -> str:
    sessions = "?" if member["sessions"] is None else member["sessions"]
    limit = f" of {member['limit']}" if member["limit"] else ""
    return (
        f"  {member['name']:<16} {member['state']:<10} weight {member['weight']:<4} "
        f"{member['share_percent']:>3} % of new sessions, {sessions}{limit} open"
        f"{'  ! ' + member['detail'] if member['detail'] else ''}"
    )


def _drain(arguments: argparse.Namespace, api: ApiClient) -> int:
    member = _set(api, arguments.member, True, _TRIES if arguments.wait else 1)
    if arguments.wait:
        _await_empty(api, member, arguments.patience)
    return 0


def _resume(arguments: argparse.Namespace, api: ApiClient) -> int:
    _set(api, arguments.member, False)
    return 0


def _roll(arguments: argparse.Namespace, api: ApiClient) -> int:
    members = [m for pool in api.get("/v1/pools") if pool["name"] == arguments.pool for m in pool["members"]]
    if not members:
        raise ApiError([f"no pool is named {arguments.pool}; remedy: postern pool list"])
    if len(members) == 1:
        raise ApiError([f"{arguments.pool} has one member: nobody would take its new sessions"])
    for number, member in enumerate(members, start=1):
        name = f"{member['pool']}.{member['name']}"
        print(f"[{number}/{len(members)}] {name}")
        _set(api, name, True, _TRIES)
        _await_empty(api, member, arguments.patience)
        command = arguments.command.replace("{member}", member["name"])
        print(f"  {command}")
        if code := subprocess.run(command, shell=True).returncode:
            raise ApiError(
                [f"the command ended with {code}; {name} stays drained: postern pool resume {name}"]
            )
        _set(api, name, False)
        _await_well(api, member, arguments.patience)
    print(f"all {len(members)} members of {arguments.pool} have been restarted")
    return 0


def _set(api: ApiClient, name: str, is_drained: bool, tries: int = 1) -> dict[str, Any]:
    """Drain a member or resume it. Whoever tries more than once needs the switches to do so: `ApiError`."""
    for _ in range(tries):
        member: dict[str, Any] = api.post(f"/v1/members/{quote(name, safe='')}", {"drained": is_drained})
        if member["is_confirmed"]:
            break
    print(f"  {member['name']}: {member['state']}", flush=True)
    if not member["is_confirmed"] and tries > 1:
        raise ApiError([f"switches have not confirmed that; {member['name']} stays drained: postern status"])
    if not member["is_confirmed"]:
        print("  ! not all switches have confirmed that yet: postern status", flush=True)
    return member


def _await_well(api: ApiClient, wanted: dict[str, Any], patience_s: float) -> None:
    """Wait until a member takes new sessions again: before that, the next one must not be drained."""
    deadline = time.monotonic() + patience_s
    while (member := _look_at(api, wanted))["state"] in ("down", "joining"):
        if time.monotonic() > deadline:
            why = member["detail"] or "nobody has reported on it"
            raise ApiError([f"{member['name']} is {member['state']} after {patience_s:.0f} s: {why}"])
        time.sleep(_POLL_S)
    print(f"  {member['name']}: {member['state']}", flush=True)


def _look_at(api: ApiClient, wanted: dict[str, Any]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [member for pool in api.get("/v1/pools") for member in pool["members"]]
    return next(m for m in rows if (m["pool"], m["name"]) == (wanted["pool"], wanted["name"]))


def _await_empty(api: ApiClient, wanted: dict[str, Any], patience_s: float) -> None:
    """Show how many sessions are left until there is none. Raise `ApiError` when patience ends."""
    deadline, last = time.monotonic() + patience_s, None
    while True:
        member = _look_at(api, wanted)
        if member["sessions"] is None:
            raise ApiError(["its sessions cannot be counted: the switch is not on the controller's machine"])
        if member["sessions"] != last:
            last = member["sessions"]
            print(f"  {member['name']}: {last} {'session' if last == 1 else 'sessions'} left", flush=True)
        if member["state"] in ("empty", "down"):
            print(
                f"  {member['name']} is empty, safe to stop" if last == 0 else f"  {member['name']} is down"
            )
            return
        if time.monotonic() > deadline:
            raise ApiError(
                [f"{last} sessions are left after {patience_s:.0f} s; {member['name']} stays drained"]
            )
        time.sleep(_POLL_S)
        sys.stdout.flush()
