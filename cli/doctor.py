"""`postern doctor`: checks whether this machine is ready, and prints what to type if it is not."""

import argparse
from collections import Counter
from collections.abc import Iterator

from common.commands import Result, be_command
from common.exit_codes import ExitCode
from common.terminal import paint
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
from controller.doctor.finding import Finding, FindingLevel

_KINDS = {
    "member": "a proxy, scanner or responder",
    "decoy": "a decoy",
    "antivirus": "an anti-virus server, or the builder's host",
}
_HEADS = {FindingLevel.GOOD: "good ", FindingLevel.LOST: "lost ", FindingLevel.WRONG: "WRONG"}
_EPILOG = """\
each line is one check:
  good    no problem
  lost    something optional is missing; the line says what does not work; everything else works
  WRONG   a problem that must be fixed; the remedy says how

The exit code is 1 if a check is WRONG.
--json prints a list of {"level", "subject", "fact", "remedy", "lost"}; level is good, lost or wrong.

An ordinary user cannot see everything: run it as root to check more.

examples:
  sudo postern doctor
  postern lab exec proxy1 -- postern doctor --member
"""


def fill(parser: argparse.ArgumentParser) -> None:
    be_command(
        parser,
        _run,
        "Check Python, Ryu, the kernel, name resolution, disks, Open vSwitch and its bridges, ports "
        "and clamd on this machine. Nothing is changed. On a pool member, give an option for its kind.",
        _EPILOG,
    )
    as_what = parser.add_mutually_exclusive_group()
    for name, kind in _KINDS.items():
        as_what.add_argument(
            f"--{name}", action="store_const", dest="kind", const=name, help=f"check this host as {kind}"
        )


def _run(arguments: argparse.Namespace) -> Result:
    findings = list(_look_at(arguments.kind))
    is_wrong = any(finding.level is FindingLevel.WRONG for finding in findings)
    facts = [finding.to_record() for finding in findings]
    return Result(facts, list(_lines(findings)), ExitCode.FAILED if is_wrong else ExitCode.OK)


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


def _lines(findings: list[Finding]) -> Iterator[str]:
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        head = (
            paint(_HEADS[finding.level], "bad")
            if finding.level is FindingLevel.WRONG
            else _HEADS[finding.level]
        )
        yield f"{head}  {finding.subject:<{width}}  {finding.fact}"
        for label, text in (("lost", finding.lost), ("remedy", finding.remedy)):
            if text:
                yield f"{'':<{width + 9}}{label}: {text}"
    yield f"\n{_in_one_sentence(Counter(finding.level for finding in findings))}"


def _in_one_sentence(count: Counter[FindingLevel]) -> str:
    wrong, lost = count[FindingLevel.WRONG], count[FindingLevel.LOST]
    if wrong:
        return f"{wrong} of {count.total()} checks failed. Fix these problems first."
    return (
        f"This machine is ready, except for what is lost ({lost} of {count.total()} checks)."
        if lost
        else "This machine is ready."
    )
