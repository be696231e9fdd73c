"""`postern decisions`: what the edge does about sources, why, until when, and how often."""

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cli.common import add_api_command, add_change_command, read_text
from cli.receipts import is_confirmed, receipt_lines, summary
from common.commands import CommandError, Result, Subparsers, explain
from common.exit_codes import ExitCode
from common.options import duration_option, number_option
from common.terminal import Progress
from common.wire.codec import to_media
from common.wire.decisions import Action, OpenSessions, RequestedDecision
from controller.api.client import ApiClient

DURATION = duration_option("1s", "400d")
_CHUNK = 10_000
_LARGEST_FILE_BYTES = 512 << 20
_EPILOG = """\
actions:
  decoy   new connections reach a decoy, at the address that they were meant for
  drop    new connections are dropped
  limit   new connections pass at a limited rate
  watch   new connections pass, and are counted

The most specific decision applies: first the longest prefix, then one for a tenant, then
one for a protocol and port. Sources on the allow-list (`postern allow`) always pass.

examples:
  postern decisions add 198.51.100.66 --action decoy --for 4h --reason 'port scan'
  postern decisions add 198.51.100.0/24 --action drop --tenant acme --protocol tcp --port 22
  postern decisions delete 17            removed from the switches when this returns, with a receipt
  postern explain 198.51.100.66          everything about a source, on one screen
"""


def fill(parser: argparse.ArgumentParser) -> None:
    explain(parser, "Make, list and end decisions about external sources.", _EPILOG)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_add(commands)
    _add_list(commands)
    delete = add_change_command(
        commands,
        "delete",
        "end decisions at once, and show what they did",
        _delete,
        "examples:\n  postern decisions delete 17 18\n  postern decisions delete --origin import",
    )
    delete.add_argument(
        "ids", nargs="*", type=number_option(), metavar="ID", help="numbers, as `list` shows them"
    )
    _add_choice(delete)
    show = add_api_command(
        commands,
        "show",
        "show a decision, and what each switch holds of it now",
        _show,
        "example:\n  postern decisions show 17",
    )
    show.add_argument("id", type=number_option(), metavar="ID", help="number, as `list` shows it")
    _add_import(commands)
    export = add_api_command(
        commands,
        "export",
        "write all decisions as JSON lines, which `import` reads",
        _export,
        "example:\n  postern decisions export > decisions.jsonl",
    )
    _add_choice(export)


def _add_list(commands: Subparsers) -> None:
    listing = add_api_command(
        commands,
        "list",
        "list decisions, and whether the switches hold them now",
        _list,
        "example:\n  postern decisions list --origin operator",
    )
    _add_choice(listing)
    listing.add_argument(
        "--limit", type=number_option(), default=100, metavar="N", help="the latest N (default: 100)"
    )


def _add_import(commands: Subparsers) -> None:
    take = add_change_command(
        commands,
        "import",
        "make decisions from a file of JSON lines, or a plain list",
        _import,
        "example:\n  postern decisions import blocklist.txt --action drop --for 1d",
    )
    take.add_argument(
        "file", type=Path, metavar="FILE", help="one decision, or one address or prefix, on a line"
    )
    take.add_argument("--action", default="decoy", help="for plain lines (default: decoy)")
    take.add_argument(
        "--for",
        dest="duration_s",
        type=DURATION,
        metavar="DURATION",
        default="1d",
        help="for plain lines (default: 1d)",
    )
    take.add_argument("--origin", default="import", help="for plain lines (default: import)")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--origin", help="only of this origin")
    parser.add_argument("--value", help="only about exactly this address or prefix")
    parser.add_argument("--tenant", help="only for this tenant")


def _add_add(commands: Subparsers) -> None:
    parser = add_change_command(
        commands,
        "add",
        "make a decision about a source",
        _make,
        "example:\n  postern decisions add 198.51.100.66 --action decoy --for 4h --reason 'port scan'",
    )
    add = parser.add_argument
    add("value", metavar="ADDRESS", help="address or prefix: 198.51.100.66, 2001:db8:bad::/64")
    add("--action", required=True, choices=[action.value for action in sorted(Action)],
        help="what is done with new connections: `postern decisions --help`")  # fmt: skip
    add(
        "--for",
        dest="duration_s",
        type=DURATION,
        metavar="DURATION",
        default="4h",
        help="30s, 10m, 4h, 7d (default: 4h)",
    )
    add("--tenant", default="", help="for this tenant alone (default: for all)")
    add("--protocol", default="", choices=["tcp", "udp", "icmp"], help="for this protocol alone")
    add(
        "--port",
        type=number_option(0, 65_535),
        default=0,
        help="for this destination port alone (default: for all)",
    )
    add("--sessions", default="keep", choices=[each.value for each in OpenSessions],
        help="what is done with open sessions (default: keep)")  # fmt: skip
    add("--simulate", action="store_true", help="only count what the decision would apply to")


def _make(arguments: argparse.Namespace, api: ApiClient) -> Result:
    request = RequestedDecision(
        value=arguments.value,
        action=Action(arguments.action),
        duration_s=arguments.duration_s,
        origin="operator",
        reason=arguments.reason,
        tenant=arguments.tenant,
        protocol=arguments.protocol,
        port=arguments.port,
        simulated=arguments.simulate,
        sessions=OpenSessions(arguments.sessions),
    )
    return _receipt(api.get(f"/v1/decisions/{decide(api, request)}"))


def decide(api: ApiClient, request: RequestedDecision) -> int:
    """Make one decision; return its number. Raise `CommandError` if it is refused."""
    answer = api.post("/v1/decisions", {"decisions": [to_media(request)]})
    for refused in answer["refused"]:
        raise CommandError([f"{refused['error']}; remedy: {refused['remedy']}"])
    return int(answer["accepted"][0]["id"])


def _list(arguments: argparse.Namespace, api: ApiClient) -> Result:
    answer = api.get(f"/v1/decisions?{_chosen(arguments, limit=arguments.limit, receipts='true')}")
    shown = len(answer["decisions"])
    more = f", the latest {shown} shown" if shown < answer["count"] else ""
    whole = f"{answer['count']} decisions{more}; {answer['whole']} in total, of at most {answer['most']}"
    lines = [f"{line(each)}  {summary(each.get('receipt'))}".rstrip() for each in answer["decisions"]]
    is_good = all(is_confirmed(each["receipt"]) for each in answer["decisions"] if "receipt" in each)
    return Result(answer, [*lines, whole], ExitCode.OK if is_good else ExitCode.FAILED)


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


def _show(arguments: argparse.Namespace, api: ApiClient) -> Result:
    return _receipt(api.get(f"/v1/decisions/{arguments.id}"))


def _receipt(decision: dict[str, Any]) -> Result:
    code = ExitCode.OK if is_confirmed(decision["receipt"]) else ExitCode.FAILED
    return Result(decision, [line(decision), *receipt_lines(decision["receipt"])], code)


def _delete(arguments: argparse.Namespace, api: ApiClient) -> Result:
    chosen = _chosen(arguments)
    if bool(arguments.ids) == bool(chosen):
        raise CommandError(["no decision is selected; remedy: give ID ..., or --origin, --value or --tenant"])
    paths = [f"/v1/decisions/{number}" for number in arguments.ids] or [f"/v1/decisions?{chosen}"]
    answers: list[dict[str, Any]] = []
    try:
        for path in paths:
            answers.append(api.delete(path))
    except CommandError as error:
        if not answers:
            raise
        return _deleted(answers, error.errors)
    return _deleted(answers, [])


def _deleted(answers: list[dict[str, Any]], errors: list[str]) -> Result:
    is_good = not errors and all(answer["is_confirmed"] for answer in answers)
    facts = {"deleted": answers, "errors": errors}
    lines = [each for answer in answers for each in _deleted_lines(answer)]
    return Result(facts, lines, ExitCode.OK if is_good else ExitCode.FAILED, errors)


def _deleted_lines(answer: dict[str, Any]) -> Iterator[str]:
    for decision in answer["receipts"]:
        yield line(decision)
        yield from receipt_lines(decision["receipt"])
    state = "removed from every switch" if answer["is_confirmed"] else "NOT YET CONFIRMED by every switch"
    yield f"{answer['deleted']} deleted, {state}"


def _chosen(arguments: argparse.Namespace, **more: Any) -> str:
    chosen = {key: getattr(arguments, key) for key in ("origin", "value", "tenant")}
    return urlencode({key: value for key, value in {**chosen, **more}.items() if value})


def _import(arguments: argparse.Namespace, api: ApiClient) -> Result:
    lines = read_text(arguments.file, _LARGEST_FILE_BYTES).splitlines()
    plain = {
        "action": arguments.action,
        "duration_s": arguments.duration_s,
        "origin": arguments.origin,
    }
    numbered = [(number, text.strip()) for number, text in enumerate(lines, 1)]
    wanted = [(number, text) for number, text in numbered if text and not text.startswith(("#", ";"))]
    refused: list[str] = []
    accepted = refused_count = 0
    progress: Progress = arguments.progress
    for first in range(0, len(wanted), _CHUNK):
        progress.show(f"{first} of {len(wanted)} sent")
        chunk = wanted[first : first + _CHUNK]
        answer = api.post("/v1/decisions", {"decisions": [_read_line(text, plain) for _, text in chunk]})
        accepted += answer["accepted_count"]
        refused_count += answer["refused_count"]
        refused += [
            _refusal(f"{arguments.file}:{chunk[each['index']][0]}", each) for each in answer["refused"]
        ]
    facts = {"accepted": accepted, "refused": refused_count, "errors": refused}
    code = ExitCode.FAILED if refused_count else ExitCode.OK
    return Result(facts, [f"{accepted} made, {refused_count} refused"], code, refused)


def _refusal(place: str, refused: dict[str, Any]) -> str:
    return f"{place}: {refused['error']}; remedy: {refused['remedy']}"


def _read_line(text: str, plain: dict[str, Any]) -> Any:
    if not text.startswith("{"):
        return {**plain, "value": text.split()[0].rstrip(";,")}
    try:
        decision = json.loads(text)
    except ValueError:
        return text  # the controller refuses it, and names the place
    if isinstance(decision, dict) and "until" in decision:
        decision["duration_s"] = max(1.0, decision["until"] - datetime.now(UTC).timestamp())
    return decision


def _export(arguments: argparse.Namespace, api: ApiClient) -> Result:
    decisions = api.get(f"/v1/decisions?{_chosen(arguments, limit=1_000_000)}")["decisions"]
    return Result(decisions, [json.dumps(decision) for decision in decisions])
