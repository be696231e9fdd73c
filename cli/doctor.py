"""`postern doctor`: is this machine ready, and if not, what to type."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator

from cli.common import Subparsers
from controller.doctor import (
    antivirus,
    decoy,
    environment,
    kernel,
    member,
    names,
    neighbours,
    openvswitch,
    room,
    scanner,
)
from controller.doctor.finding import Finding, Level

_KINDS = {
    "member": "a proxy, scanner or responder",
    "decoy": "a decoy",
    "antivirus": "an anti-virus server, or the builder's host",
}
_HEADS = {Level.GOOD: "good ", Level.LOST: "lost ", Level.WRONG: "WRONG"}
_EPILOG = """\
each line is one thing that was looked at:
  good    nothing to do
  lost    something optional is missing; the line says what does not work, and the rest works
  WRONG   something must be done; the line says what to type

exit codes: 0 good, or only losses; 1 something is WRONG; 2 wrong usage
--json: a list of {"level", "subject", "fact", "remedy", "lost"}; level is good, lost or wrong

Much is hidden from an ordinary user: as root it sees more.
In the lab: postern lab exec proxy1 -- postern doctor --member
"""


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="look for known traps on this machine, and print the remedy for each",
        description="Look at Python, Ryu, the kernel, names, disks, Open vSwitch and its bridges, ports\n"
        "and clamd on this machine, and change nothing. On a host of a pool, say what it is.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
        print(json.dumps([finding.to_record() for finding in findings], indent=1))
    else:
        _print(findings)
    return 1 if any(finding.level is Level.WRONG for finding in findings) else 0


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
    yield from kernel.judge(kernel.look())
    yield from names.judge(names.look())
    yield from room.judge(room.look())
    yield from openvswitch.judge(openvswitch.look())
    yield from neighbours.judge(neighbours.look())
    yield from scanner.judge(scanner.look())


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        print(f"{_HEADS[finding.level]}  {finding.subject:<{width}}  {finding.fact}")
        for head, text in (("lost", finding.lost), ("remedy", finding.remedy)):
            if text:
                print(f"{'':<{width + 9}}{head}: {text}")
    print(f"\n{_in_one_sentence(Counter(finding.level for finding in findings))}")


def _in_one_sentence(count: Counter[Level]) -> str:
    wrong, lost = count[Level.WRONG], count[Level.LOST]
    if wrong:
        return f"{wrong} of {count.total()} lines must be fixed first."
    return (
        f"This machine is ready, except for what is lost ({lost} of {count.total()} lines)."
        if lost
        else "This machine is ready."
    )
