"""`postern explain`: the reason of a flow, and all that is known about a source."""

import argparse
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

from cli.common import be_api_command
from cli.decisions import line, when
from cli.receipts import are_confirmed, counters, is_confirmed, receipt_lines, switch_text
from common.commands import CommandError, Result
from common.exit_codes import ExitCode
from controller.api.client import ApiClient
from controller.ids import is_numbered, rule_of

_EPILOG = """\
examples:
  postern explain 0x9057000000000001      a cookie, from `ovs-ofctl dump-flows`
  postern explain tenants.acme.mail       a rule of the policy
  postern explain 198.51.100.66           a source
"""


def fill(parser: argparse.ArgumentParser) -> None:
    be_api_command(
        parser,
        _run,
        "Explain why a flow exists. For a cookie or a rule, shows the line of the policy, or the decision, "
        "and all its flows. For an address, shows score, evidence, all decisions, and their effect. Asks the "
        "switches whether they hold these flows now, and how many packets matched. Exits with 0 only if "
        "they hold all of them, with the groups and meters that they name. For an address, the exit code is "
        "also 1 if a switch has open differences.",
        _EPILOG,
    )
    parser.add_argument(
        "what",
        metavar="WHAT",
        help="cookie (0x9057...), rule path (tenants.acme.mail), or address (198.51.100.66)",
    )


def _run(arguments: argparse.Namespace, api: ApiClient) -> Result:
    if _is_source(arguments.what):
        known = api.get(f"/v1/sources/{quote(arguments.what, safe='')}")
        return Result(known, list(_source_lines(known)), _code_of(known))
    if number := _decision_of(arguments.what):
        decision = api.get(f"/v1/decisions/{number}")
        lines = [line(decision), *receipt_lines(decision["receipt"])]
        return Result(decision, lines, _code(decision["receipt"]))
    return _explain_rule(arguments.what, api)


def _code(receipt: dict[str, Any]) -> ExitCode:
    return ExitCode.OK if is_confirmed(receipt) else ExitCode.FAILED


def _code_of(known: dict[str, Any]) -> ExitCode:
    found = [decision["receipt"] for decision in known["decisions"]]
    if known["allowed"]:
        found.append(known["allowed"]["receipt"])
    is_good = all(is_confirmed(each) for each in found if each) and not known.get("differences")
    return ExitCode.OK if is_good else ExitCode.FAILED


def _is_source(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _decision_of(text: str) -> int:
    """Return the number of a decision, given as a cookie or as `decisions.17`; 0: it is something else."""
    try:
        cookie = int(text, 16) if text.startswith("0x") else 0
    except ValueError:
        return 0
    kind, _, number = (rule_of(cookie) if is_numbered(cookie) else text).partition(".")
    return int(number) if kind == "decisions" and number.isdecimal() else 0


def _source_lines(known: dict[str, Any]) -> Iterator[str]:
    whose = f", {known['owner']} address" if known["owner"] else ""
    party = f" (counted as {known['party']})" if known["party"] != f"{known['source']}" else ""
    yield f"{known['source']}{whose}: its next connection {known['consequence']}"
    yield (
        f"  score {known['score']}{party}, unproven {known['unproven']}, "
        f"earlier decisions: {known['offences']}"
    )
    if allowed := known["allowed"]:
        yield f"  allowed: {allowed['value']}, {allowed['comment']}"
        yield from receipt_lines(allowed["receipt"])
    yield "  decisions, most specific first:" if known["decisions"] else "  no decision"
    for decision in known["decisions"]:
        yield f"  {line(decision)}"
        yield from receipt_lines(decision["receipt"])
    yield "  evidence, oldest first:" if known["evidence"] else "  no evidence"
    yield from map(_evidence_line, known["evidence"])


def _evidence_line(fact: dict[str, Any]) -> str:
    where = f" at {fact['destination']}" if fact["destination"] else ""
    where += f" port {fact['port']}" if fact["port"] else ""
    proof = "" if fact["proven"] else ", unproven"
    proof += ", no weight (a decision led there)" if fact["expected"] else ""
    detail = f": {fact['detail']}" if fact["detail"] else ""
    count = f" x {fact['count']}" if fact["count"] > 1 else ""
    return f"    {when(fact['time'])} {fact['kind']}{count}{where}{proof}{detail}"


def _explain_rule(what: str, api: ApiClient) -> Result:
    answer = api.explain(what)
    if not answer["found"]:
        raise CommandError([f"{what}: {answer['reason']}"])
    lines = [f"{rule['rule']}\n  written at {rule['place']}" for rule in answer["rules"]]
    lines += [f"{row['switch']}: {switch_text(row)}" for row in answer["switches"]]
    lines.append(f"flows of revision {answer['revision']}:")
    for row in answer["flows"]:
        lines.append(f"  {row['switch']} cookie={row['cookie']} {row['flow']}")
        lines.append(f"      {row['state']}, {counters(row)}")
        lines += [f"      {fault}" for fault in row.get("faults", ())]
    code = ExitCode.OK if are_confirmed(answer["switches"]) else ExitCode.FAILED
    return Result(answer, lines, code)
