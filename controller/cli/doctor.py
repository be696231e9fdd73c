"""`postern doctor`: is this machine ready, and if not, what to type."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict

from controller.cli.common import Subparsers
from controller.doctor import antivirus, decoy, environment, member, openvswitch, scanner
from controller.doctor.finding import Finding

_KINDS = {
    "member": "a proxy, scanner or responder",
    "decoy": "a decoy",
    "antivirus": "an anti-virus server, or the builder's host",
}


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="look for known traps on this machine, and print the remedy for each",
        description="Look at Python, Ryu, Open vSwitch, its bridges and clamd on this machine, and "
        "change nothing. On a host of a pool, say what it is. Exit code 1 if anything is wrong.",
        epilog="in the lab: postern lab exec proxy1 -- postern doctor --member",
    )
    as_what = parser.add_mutually_exclusive_group()
    for name, kind in _KINDS.items():
        as_what.add_argument(
            f"--{name}", action="store_const", dest="kind", const=name, help=f"look at this host as {kind}"
        )
    parser.add_argument("--json", action="store_true", help="print a JSON list of findings")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    findings = list(_look_at(arguments.kind))
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        _print(findings)
    return 0 if all(finding.is_good for finding in findings) else 1


def _look_at(kind: str | None) -> Iterator[Finding]:
    match kind:
        case "member":
            return member.judge(member.look())
        case "decoy":
            return decoy.judge(decoy.look())
        case "antivirus":
            return antivirus.judge(antivirus.look())
        case _:
            return _machine()


def _machine() -> Iterator[Finding]:
    yield from environment.judge(environment.look())
    yield from openvswitch.judge(openvswitch.look())
    yield from scanner.judge(scanner.look())


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        print(f"{'good ' if finding.is_good else 'WRONG'}  {finding.subject:<{width}}  {finding.fact}")
        if not finding.is_good:
            print(f"{'':<{width + 9}}remedy: {finding.remedy}")
    wrong = sum(not finding.is_good for finding in findings)
    print("\nThis is ready." if not wrong else f"\n{wrong} of {len(findings)} need a remedy.")
