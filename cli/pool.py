"""`postern pool`: which members take new sessions, which only finish old ones; and rolling through a pool."""

import argparse
import subprocess
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from cli.common import add_api_command, add_change_command
from common.commands import CommandError, Result, explain
from common.exit_codes import ExitCode
from common.options import duration_option
from common.terminal import Progress, paint
from controller.api.client import ApiClient
from controller.pools.members import MemberState

_POLL_S = 0.5
_TRIES = 15  # each waits two seconds for the switches
_STDERR = 2
_EPILOG = """\
states:
  joining    no new sessions until its agent's first good report
  up         gets new sessions by its weight; fewer just after it came up
  full       at its limit; gets new sessions again below nine tenths of it
  stale      healthy, with signatures that are too old: new sessions only if no fresh member is up
  held       healthy again, but it went down too often: held down for a while, longer each time
  draining   keeps its sessions, gets no new ones
  empty      draining, and its last session has ended: safe to stop
  leaving    no longer in the policy; finishing its sessions
  down       its switch port is down, or its agent reports failures; new sessions go to the others
A member whose agent has been silent for too long is `unheard for N s`, whatever its state.

example:
  postern pool roll proxies --command 'ssh {member} systemctl restart postern-mail'
"""


def fill(parser: argparse.ArgumentParser) -> None:
    explain(
        parser, "Show pools and change which members take new sessions. No session is ever moved.", _EPILOG
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_api_command(
        commands,
        "list",
        "list pools and members, with their open sessions",
        _list,
        "example:\n  postern pool list --json",
    )
    drain = add_change_command(
        commands,
        "drain",
        "give a member no new sessions; it keeps those it has",
        _drain,
        "example:\n  postern pool drain proxies.proxy1 --wait",
    )
    _add_member(drain)
    drain.add_argument("--wait", action="store_true", help="return when its last session has ended")
    _add_patience(drain)
    resume = add_change_command(
        commands,
        "resume",
        "give a member new sessions again, also one that is held down",
        _resume,
        "example:\n  postern pool resume proxies.proxy1",
    )
    _add_member(resume)
    roll = add_change_command(
        commands,
        "roll",
        "drain, restart and resume every member of a pool, one by one",
        _roll,
        "example:\n  postern pool roll proxies --command 'ssh {member} systemctl restart postern-mail'",
    )
    roll.add_argument("pool", metavar="POOL", help="name of the pool")
    roll.add_argument("--command", required=True, help="restarts an empty member; {member} is its name")
    _add_patience(roll)


def _add_member(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("member", metavar="MEMBER", help="NAME, or POOL.NAME if several pools have one")


def _add_patience(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--patience",
        type=duration_option("0s", "30d"),
        default="10m",
        metavar="DURATION",
        help="give up waiting after this time (default: 10m)",
    )


def _list(_arguments: argparse.Namespace, api: ApiClient) -> Result:
    pools = api.get("/v1/pools")
    is_bad = any(pool["troubles"] for pool in pools)
    lines = [line for pool in pools for line in _pool_lines(pool)]
    return Result(pools, lines, ExitCode.FAILED if is_bad else ExitCode.OK)


def _pool_lines(pool: dict[str, Any]) -> Iterator[str]:
    yield f"{pool['name']} ({pool['kind']})"
    yield from (paint(f"  ! {trouble}", "bad") for trouble in pool["troubles"])
    yield from map(_line, pool["members"])


def _line(member: dict[str, Any]) -> str:
    sessions = "?" if member["sessions"] is None else member["sessions"]
    limit = f" of {member['limit']}" if member["limit"] else ""
    return (
        f"  {member['name']:<16} {member['state']:<10} weight {member['weight']:<4} "
        f"{member['share_percent']:>3} % of new sessions, {sessions}{limit} open"
        f"{'  ! ' + member['detail'] if member['detail'] else ''}"
    )


def _drain(arguments: argparse.Namespace, api: ApiClient) -> Result:
    member = _set(api, arguments.member, True, _TRIES if arguments.wait else 1)
    result = _state(member)
    if not arguments.wait:
        return result
    progress: Progress = arguments.progress
    member = _await_empty(api, member, arguments.patience, progress)
    said = "is empty, safe to stop" if not member["sessions"] else "is down"
    return Result(member, [*result.lines, f"  {member['name']} {said}"])


def _resume(arguments: argparse.Namespace, api: ApiClient) -> Result:
    return _state(_set(api, arguments.member, False))


def _state(member: dict[str, Any]) -> Result:
    lines = [f"  {member['name']}: {member['state']}"]
    if not member["is_confirmed"]:
        lines.append("  ! not all switches have confirmed that yet: postern status")
    return Result(member, lines)


def _roll(arguments: argparse.Namespace, api: ApiClient) -> Result:
    members = [m for pool in api.get("/v1/pools") if pool["name"] == arguments.pool for m in pool["members"]]
    if not members:
        raise CommandError([f"no pool is named {arguments.pool}; remedy: postern pool list"])
    if len(members) == 1:
        raise CommandError(
            [f"{arguments.pool} has only one member; no other member could take its new sessions"]
        )
    progress: Progress = arguments.progress
    for number, member in enumerate(members, start=1):
        progress.show(f"[{number}/{len(members)}] {member['pool']}.{member['name']}")
        _restart(api, member, arguments, progress)
    said = f"all {len(members)} members of {arguments.pool} have been restarted"
    return Result({"pool": arguments.pool, "restarted": [member["name"] for member in members]}, [said])


def _restart(
    api: ApiClient, member: dict[str, Any], arguments: argparse.Namespace, progress: Progress
) -> None:
    name = f"{member['pool']}.{member['name']}"
    _set(api, name, True, _TRIES)
    _await_empty(api, member, arguments.patience, progress)
    command = arguments.command.replace("{member}", member["name"])
    progress.hide()  # the command may have its own
    if code := subprocess.run(command, shell=True, stdout=_STDERR, check=False).returncode:
        raise CommandError(
            [f"the command ended with {code}; {name} stays drained; remedy: postern pool resume {name}"]
        )
    _set(api, name, False)
    _await_healthy(api, member, arguments.patience, progress)


def _set(api: ApiClient, name: str, is_drained: bool, tries: int = 1) -> dict[str, Any]:
    """Drain a member or resume it. With several tries, the switches must confirm it: `CommandError`."""
    for _ in range(tries):
        member: dict[str, Any] = api.post(f"/v1/members/{quote(name, safe='')}", {"drained": is_drained})
        if member["is_confirmed"]:
            break
    if not member["is_confirmed"] and tries > 1:
        said = f"switches have not confirmed that; {member['name']} stays drained; remedy: postern status"
        raise CommandError([said])
    return member


def _await_healthy(api: ApiClient, wanted: dict[str, Any], patience_s: float, progress: Progress) -> None:
    """Wait until a member takes new sessions again: before that, the next one must not be drained."""
    deadline = time.monotonic() + patience_s
    while (member := _look_at(api, wanted))["state"] in (MemberState.DOWN, MemberState.JOINING):
        if time.monotonic() > deadline:
            reason = member["detail"] or "no agent has reported its health"
            raise CommandError([f"{member['name']} is {member['state']} after {patience_s:.0f} s: {reason}"])
        progress.show(f"{member['name']} is {member['state']}: waiting until it takes sessions")
        time.sleep(_POLL_S)


def _look_at(api: ApiClient, wanted: dict[str, Any]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [member for pool in api.get("/v1/pools") for member in pool["members"]]
    return next(m for m in rows if (m["pool"], m["name"]) == (wanted["pool"], wanted["name"]))


def _await_empty(
    api: ApiClient, wanted: dict[str, Any], patience_s: float, progress: Progress
) -> dict[str, Any]:
    """Show how many sessions are left; return the member when none is. Raise `CommandError` in the end."""
    deadline = time.monotonic() + patience_s
    while True:
        member = _look_at(api, wanted)
        if (left := member["sessions"]) is None:
            reason = "the switch is not on the controller's machine"
            raise CommandError([f"the sessions of {member['name']} cannot be counted: {reason}"])
        if member["state"] in (MemberState.EMPTY, MemberState.DOWN):
            return member
        if time.monotonic() > deadline:
            raise CommandError(
                [f"{left} sessions are left after {patience_s:.0f} s; {member['name']} stays drained"]
            )
        progress.show(f"{member['name']}: {left} {'session' if left == 1 else 'sessions'} left")
        time.sleep(_POLL_S)
