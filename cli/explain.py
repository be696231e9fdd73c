"""`postern explain`: why a flow is there, and all that is known of a source."""

import argparse
import sys
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

from cli.common import Subparsers, with_api
from cli.decisions import line, print_receipt, when
from common.api import add_api_options
from controller.api.client import ApiClient
from controller.ids import is_numbered, rule_of


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "explain",
        help="say why a flow exists, or what is known of a source",
        description="Give a cookie from `ovs-ofctl dump-flows`, or a rule such as tenants.acme.mail: "
        "prints the line of the policy, or the decision, and every flow that it asked for. "
        "Give an address: prints its score, the evidence, every decision, and what follows.",
    )
    parser.add_argument(
        "what", help="cookie (0x9057...), rule path (tenants.acme.mail), or address (198.51.100.66)"
    )
    add_api_options(parser)
    parser.set_defaults(run=with_api(run))


def run(arguments: argparse.Namespace, api: ApiClient) -> int:
    if _is_source(arguments.what):
        return _explain_source(api.get(f"/v1/sources/{quote(arguments.what, safe='')}"))
    if number := _decision_of(arguments.what):
        decision = api.get(f"/v1/decisions/{number}")
        print(line(decision))
        return print_receipt(decision["receipt"])
    return _explain_rule(arguments, api)


def _is_source(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _decision_of(text: str) -> int:
    """Return the number of a decision, given as a cookie or as `decisions.17`; 0: it is none."""
    try:
        cookie = int(text, 16) if text.startswith("0x") else 0
    except ValueError:
        return 0
    kind, _, number = (rule_of(cookie) if is_numbered(cookie) else text).partition(".")
    return int(number) if kind == "decisions" and number.isdecimal() else 0


def _explain_source(known: dict[str, Any]) -> int:
    whose = f", {known['owner']} address" if known["owner"] else ""
    party = f" (counted as {known['party']})" if known["party"] != f"{known['source']}" else ""
    print(f"{known['source']}{whose}: its next connection {known['consequence']}")
    print(
        f"  score {known['score']}{party}, unproven {known['unproven']}, "
        f"decided about {known['offences']} times before"
    )
    if allowed := known["allowed"]:
        print(f"  allowed: {allowed['value']}, {allowed['comment']}")
    print("  decisions, the closest first:" if known["decisions"] else "  no decision")
    for decision in known["decisions"]:
        print(f"  {line(decision)}")
        print_receipt(decision["receipt"])
    print("  evidence, the latest last:" if known["evidence"] else "  no evidence")
    for fact in known["evidence"]:
        where = f" at {fact['destination']}" if fact["destination"] else ""
        where += f" port {fact['port']}" if fact["port"] else ""
        proof = "" if fact["proven"] else ", unproven"
        proof += ", weighs nothing (a decision led there)" if fact["expected"] else ""
        detail = f": {fact['detail']}" if fact["detail"] else ""
        count = f" x {fact['count']}" if fact["count"] > 1 else ""
        print(f"    {when(fact['at'])} {fact['kind']}{count}{where}{proof}{detail}")
    return 0


def _explain_rule(arguments: argparse.Namespace, api: ApiClient) -> int:
    answer = api.explain(arguments.what)
    if not answer["found"]:
        print(f"{arguments.what}: {answer['why']}", file=sys.stderr)
        return 1
    for rule in answer["rules"]:
        print(f"{rule['rule']}\n  written at {rule['place']}")
    print(f"flows of revision {answer['revision']}:")
    for row in answer["flows"]:
        print(f"  {row['switch']} cookie={row['cookie']} {row['flow']}")
    return 0
