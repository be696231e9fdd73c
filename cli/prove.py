"""`postern prove`: prove over all packets what the switches let through, claim by claim."""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cli.common import be_api_command, read_policy_text
from common.commands import CommandError, Result
from common.config.errors import ConfigErrors
from common.exit_codes import ExitCode
from common.options import duration_option
from common.terminal import Progress, paint
from common.wire.codec import Json
from controller.api.client import ApiClient
from controller.compiler.compile import compile_policy
from controller.compiler.errors import CompileError
from controller.openflow.encode import to_wire
from controller.policy.parse import parse_policy
from controller.proof.model import NetworkState
from controller.proof.prove import prove
from controller.prover.answer import answer_of
from controller.reports.proofs import ClaimState, findings
from controller.runtime.explain import place_of

_POLL_S = 0.05
_EPILOG = """\
examples:
  postern prove                          what the switches hold now
  postern prove policies/*.yaml          what policies compile to, for example in CI
  postern prove --json | jq '.last.violations'

A violation is confirmed if its packet also arrives in a replay, step by step; otherwise it is possible.
docs/proving.md describes when proofs are made, and what happens if one fails or takes too long.
"""


def fill(parser: argparse.ArgumentParser) -> None:
    be_api_command(
        parser,
        _run,
        "Prove what the switches let through now. The proof covers all packets, including replies, invalid "
        "packets, ICMP errors and fragments, and the flows of all connected switches together. Prints each "
        "claim. If a claim does not hold, prints one packet that gets through, the packet that opened its "
        "session, the flows that let it through and their lines of the policy. The exit code is 0 only if "
        "all claims hold on all switches of the policy, and no open difference (`postern drift`) lets a "
        "switch do something else than its flows say. The controller also makes this proof after each "
        "change, and proves each plan before it is sent; `postern status` shows the last proof.",
        _EPILOG,
    )
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="prove what a policy compiles to while members, ports and trunks are up; needs no controller",
    )
    parser.add_argument(
        "--timeout",
        type=duration_option("0s", "1d"),
        default="2m",
        metavar="DURATION",
        help="how long to wait for the controller (default: 2m)",
    )


def _run(arguments: argparse.Namespace, api: ApiClient) -> Result:
    progress: Progress = arguments.progress
    if arguments.files:
        return _prove_files(arguments.files, progress)
    deadline = time.monotonic() + arguments.timeout
    number = api.post("/v1/proof", {})["number"]
    while not _is_made(found := api.get("/v1/proof"), number):
        if time.monotonic() > deadline:
            raise CommandError([_why_not(found)])
        progress.show("the controller proves what the switches hold")
        time.sleep(_POLL_S)
    is_good = found["last"]["proved"] and not _doubts(found)
    return Result(found, list(_lines(found)), ExitCode.OK if is_good else ExitCode.FAILED)


def _prove_files(files: Sequence[Path], progress: Progress) -> Result:
    rows, lines = [], []
    for path in files:
        progress.show(f"{path}: proving")
        found = prove_policy(path)
        rows.append({"file": str(path), **found})
        what = "proved" if found["proved"] else "NOT proved"
        lines.append(f"{path}: {what} for all packets: {found['flows']} flows in {found['seconds']:.3f} s")
        lines += _finding_lines(found)
    is_good = all(row["proved"] for row in rows)
    return Result(rows, lines, ExitCode.OK if is_good else ExitCode.FAILED)


def prove_policy(path: Path) -> Json:
    """Return what a proof finds about a policy's flows. Raise `CommandError` if the policy has errors."""
    text = read_policy_text(path)["text"]
    try:
        policy = parse_policy(text, str(path))
        states = compile_policy(policy)
    except (ConfigErrors, CompileError) as error:
        raise CommandError(str(error).splitlines()) from error
    wires = {name: to_wire(state) for name, state in states.items()}
    proof = prove(NetworkState(policy, wires))
    answer = answer_of(0, proof.seconds, proof)
    rules = {step.rule for each in answer.violations for step in each.flows if step.rule}
    return findings(answer, {rule: place_of(policy, rule) for rule in rules})


def _is_made(found: dict[str, Any], number: int) -> bool:
    return found["last"] is not None and found["last"]["number"] >= number


def _why_not(found: dict[str, Any]) -> str:
    why = "; ".join([*found["problems"], *found["missing"]]) or "the proof takes longer"
    return (
        f"not proved in time: {why}; remedy: wait longer (--timeout), or read the journal (ProofNotFinished)"
    )


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield found["summary"]
    yield from (paint(f"  ! not proved: {text}", "bad") for text in _doubts(found))
    yield from _finding_lines(found["last"])


def _doubts(found: dict[str, Any]) -> list[str]:
    """Return why the proof says too little, for example which switches do something else than their flows."""
    then, now = found["last"]["missing"], found["missing"]
    return [*then, *(each for each in now if each not in then), *found.get("unmet", ())]


def _finding_lines(last: Json) -> Iterator[str]:
    for claim in last["claims"]:
        yield f"  {_mark(claim)}  {claim['claim']:<16} {claim['means']}"
    if why := last.get("undecided_because"):
        yield f"  not decided: {why}"
    for number, violation in enumerate(last["violations"], start=1):
        yield ""
        yield from violation_lines(number, violation)
    if last["found"] > len(last["violations"]):
        yield f"and {last['found'] - len(last['violations'])} more"


def _mark(claim: dict[str, Any]) -> str:
    if claim["proved"]:
        return "proved    "
    return paint("UNDECIDED " if claim.get("state") == ClaimState.UNDECIDED else "NOT PROVED", "bad")


def violation_lines(number: int, violation: dict[str, Any]) -> Iterator[str]:
    """Yield a packet that gets through, the flows that let it through, and their lines of the policy."""
    is_sure = "confirmed by a replay" if violation["confirmed"] else "possible"
    yield paint(
        f"{number}. {violation['claim']}: {violation['sender']} -> {violation['receiver']} ({is_sure})", "bad"
    )
    yield f"   packet   {violation['packet']}"
    if violation["opener"]:
        yield f"   opened by {violation['opener']}"
    for step in violation["flows"]:
        yield f"   {step['switch']} {step['table']}, priority {step['priority']}: {step['flow']}"
        yield f"      {_origin(step)}"


def _origin(step: dict[str, Any]) -> str:
    if not step["rule"]:
        return f"cookie {step['cookie']}: not ours; no line of the policy has this flow"
    return f"{step['rule']}  {step['place']}".rstrip()
