"""`postern decisions`: what the edge does about whom, why, until when; and how often it was needed."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cli.common import Subparsers, add_command, read_text
from common.config.kinds import Wrong, duration
from controller.api.client import ApiClient, ApiError

_DURATION = duration("1s", "400d")
_CHUNK = 10_000
_LARGEST_FILE_BYTES = 512 << 20
_EPILOG = """\
actions:
  decoy   new connections meet a decoy, at the very address that they were meant for
  drop    new connections are dropped
  limit   new connections pass at a limited rate
  watch   new connections pass, and are counted

The closest decision holds: the longer prefix first, then one for a tenant, then one
for a protocol and port. What is on the allow-list (`postern allow`) always passes.

  postern decisions add 198.51.100.66 --action decoy --for 4h --reason 'scans us'
  postern decisions add 198.51.100.0/24 --action drop --tenant acme --protocol tcp --port 22
  postern decisions delete 17            gone from the switches when this returns, with a receipt
  postern explain 198.51.100.66          all about a source, on one screen
"""


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "decisions",
        help="who is suspicious, and what is done about it",
        description="Make, list and end decisions about sources outside.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_add(commands)
    listing = add_command(commands, "list", "list decisions", _list)
    _add_choice(listing)
    listing.add_argument("--limit", type=int, default=100, metavar="N", help="the latest N (default: 100)")
    delete = add_command(commands, "delete", "end decisions at once, and show what they did", _delete)
    delete.add_argument("ids", nargs="*", type=int, metavar="ID", help="numbers, as `list` shows them")
    _add_choice(delete)
    show = add_command(commands, "show", "show a decision with its receipt: switches, cookie, packets", _show)
    show.add_argument("id", type=int, metavar="ID")
    take = add_command(
        commands, "import", "make decisions from a file of JSON lines, or a plain list", _import
    )
    take.add_argument("file", type=Path, help="one decision, or one address or prefix, on a line")
    take.add_argument("--action", default="decoy", help="for plain lines (default: decoy)")
    take.add_argument("--for", dest="duration", default="1d", help="for plain lines (default: 1d)")
    take.add_argument("--origin", default="import", help="for plain lines (default: import)")
    export = add_command(commands, "export", "write all decisions as JSON lines, fit for `import`", _export)
    _add_choice(export)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--origin", help="only of this origin")
    parser.add_argument("--value", help="only about exactly this address or prefix")
    parser.add_argument("--tenant", help="only for this tenant")


def _add_add(commands: Any) -> None:
    parser = add_command(commands, "add", "decide about a source", _make)
    parser.add_argument("value", help="address or prefix: 198.51.100.66, 2001:db8:bad::/64")
    parser.add_argument("--action", required=True, choices=["decoy", "drop", "limit", "watch"])
    parser.add_argument("--for", dest="duration", default="4h", help="30s, 10m, 4h, 7d (default: 4h)")
    parser.add_argument("--tenant", default="", help="for this tenant alone (default: for all)")
    parser.add_argument("--protocol", default="", choices=["tcp", "udp", "icmp"])
    parser.add_argument("--port", type=int, default=0, help="this destination port alone")
    parser.add_argument("--reason", default="", help="why, for whoever asks later")
    parser.add_argument("--sessions", default="keep", choices=["keep", "cut"], help="those that are open")
    parser.add_argument("--simulate", action="store_true", help="only count what it would concern")


def _make(arguments: argparse.Namespace, api: ApiClient) -> int:
    request = {
        "value": arguments.value,
        "action": arguments.action,
        "duration_s": _seconds(arguments.duration),
        "origin": "operator",
        "scenario": "manual",
        "reason": arguments.reason,
        "tenant": arguments.tenant,
        "protocol": arguments.protocol,
        "port": arguments.port,
        "simulated": arguments.simulate,
        "sessions": arguments.sessions,
    }
    answer = api.post("/v1/decisions", {"decisions": [request]})
    for refused in answer["refused"]:
        raise ApiError([f"{refused['error']}; remedy: {refused['remedy']}"])
    (decision,) = answer["accepted"]
    return _print_receipt(api.get(f"/v1/decisions/{decision['id']}"))


def _seconds(text: str) -> float:
    try:
        seconds: float = _DURATION.read(text)
    except Wrong as error:
        raise ApiError([f"{error.message}; remedy: {error.remedy}"]) from error
    return seconds


def _list(arguments: argparse.Namespace, api: ApiClient) -> int:
    answer = api.get(f"/v1/decisions?{_chosen(arguments, limit=arguments.limit)}")
    for decision in answer["decisions"]:
        print(line(decision))
    shown = len(answer["decisions"])
    more = f", the latest {shown} shown" if shown < answer["count"] else ""
    print(f"{answer['count']} decisions{more}; the ledger holds {answer['whole']} of {answer['most']}")
    return 0


def line(decision: dict[str, Any]) -> str:
    """Return a decision as one line."""
    only = " ".join(filter(None, [decision["tenant"], decision["protocol"], str(decision["port"] or "")]))
    simulated = " (simulated)" if decision["simulated"] else ""
    return (
        f"{decision['id']:>7}  {decision['value']:<22} {decision['action'] + simulated:<7} "
        f"until {when(decision['until'])}  {decision['origin']}/{decision['scenario']}"
        + (f"  [{only}]" if only else "")
        + (f"  {decision['reason']}" if decision["reason"] else "")
    )


def when(utc: float) -> str:
    return datetime.fromtimestamp(utc, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _show(arguments: argparse.Namespace, api: ApiClient) -> int:
    return _print_receipt(api.get(f"/v1/decisions/{arguments.id}"))


def _print_receipt(decision: dict[str, Any]) -> int:
    print(line(decision))
    return print_receipt(decision["receipt"])


def print_receipt(receipt: dict[str, Any]) -> int:
    """Print where a decision stands; return 1 if some switch has not confirmed it."""
    if not receipt["in_force"]:
        print(f"         not in force: {receipt['why']}")
        return 0
    for row in receipt["switches"]:
        state = "confirmed" if row["confirmed"] else "NOT CONFIRMED"
        hits = "packets unknown" if row["packets"] is None else f"{row['packets']} packets"
        print(f"         {row['switch']}: {state}, cookie {receipt['cookie']}, {hits}")
    if not receipt["switches"]:
        print("         on no switch: no tenant has an address of this family")
    return 0 if all(row["confirmed"] for row in receipt["switches"]) else 1


def _delete(arguments: argparse.Namespace, api: ApiClient) -> int:
    chosen = _chosen(arguments)
    if bool(arguments.ids) == bool(chosen):
        raise ApiError(["say which: ID ..., or --origin, --value or --tenant"])
    paths = [f"/v1/decisions/{number}" for number in arguments.ids] or [f"/v1/decisions?{chosen}"]
    is_good = True
    for path in paths:
        answer = api.delete(path)
        for decision in answer["receipts"]:
            print(line(decision))
            print_receipt(decision["receipt"])
        state = "gone from every switch" if answer["is_confirmed"] else "NOT YET CONFIRMED by every switch"
        print(f"{answer['deleted']} deleted, {state}")
        is_good &= answer["is_confirmed"]
    return 0 if is_good else 1


def _chosen(arguments: argparse.Namespace, **more: Any) -> str:
    chosen = {key: getattr(arguments, key) for key in ("origin", "value", "tenant")}
    return urlencode({key: value for key, value in {**chosen, **more}.items() if value})


def _import(arguments: argparse.Namespace, api: ApiClient) -> int:
    lines = read_text(arguments.file, _LARGEST_FILE_BYTES).splitlines()
    plain = {
        "action": arguments.action,
        "duration_s": _seconds(arguments.duration),
        "origin": arguments.origin,
    }
    numbered = [(number, text.strip()) for number, text in enumerate(lines, 1)]
    wanted = [(number, text) for number, text in numbered if text and not text.startswith(("#", ";"))]
    refused = accepted = 0
    for first in range(0, len(wanted), _CHUNK):
        chunk = wanted[first : first + _CHUNK]
        answer = api.post("/v1/decisions", {"decisions": [_read_line(text, plain) for _, text in chunk]})
        accepted += answer["accepted_count"]
        refused += answer["refused_count"]
        for each in answer["refused"]:
            place = f"{arguments.file}:{chunk[each['index']][0]}"
            print(f"{place}: {each['error']}; remedy: {each['remedy']}", file=sys.stderr)
        print(f"{accepted} of {len(wanted)} made", end="\r" if sys.stdout.isatty() else "\n")
    print(f"{accepted} made, {refused} refused")
    return 1 if refused else 0


def _read_line(text: str, plain: dict[str, Any]) -> Any:
    if not text.startswith("{"):
        return {**plain, "value": text.split()[0].rstrip(";,")}
    try:
        decision = json.loads(text)
    except ValueError:
        return text  # the controller refuses it, and says where
    if isinstance(decision, dict) and "until" in decision:
        decision["duration_s"] = max(1.0, decision["until"] - datetime.now(UTC).timestamp())
    return decision


def _export(arguments: argparse.Namespace, api: ApiClient) -> int:
    for decision in api.get(f"/v1/decisions?{_chosen(arguments, limit=1_000_000)}")["decisions"]:
        print(json.dumps(decision))
    return 0
