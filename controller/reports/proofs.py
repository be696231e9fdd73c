"""The standing proof as plain JSON values: what is proved, and the packet that gets through. Pure."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from common.wire.codec import Json
from controller.proof.model import Claim, FlowStep, Violation
from controller.prover.answer import Answer
from controller.runtime.commands.proofs import ProofStatus
from controller.runtime.proof_state import ProofRecord


class ClaimState(StrEnum):
    PROVED = "proved"
    BROKEN = "broken"
    UNDECIDED = "not decided"


CLAIMS: Mapping[Claim, str] = {
    Claim.PORT_25: "only a tenant's own gateways and permitted bypasses reach its port 25",
    Claim.OTHER_TENANT: "a tenant reaches only what another one publishes",
    Claim.UNPUBLISHED: "the backbone reaches only what a tenant publishes",
    Claim.POOL_HOST: "no neighbour reaches a pool's host, except for the work of its pool",
    Claim.FOREIGN_SESSION: "a pool's host sends only in its own sessions",
    Claim.ANSWERS_ONLY: "responders, decoys and anti-virus servers begin no session that is not allowed",
    Claim.TRANSIT: "the backbone does not reach itself through the edge",
    Claim.ANYWHERE: "no flow has an unknown effect",
    Claim.HELD_FRAGMENTS: "no packet takes held fragments of other senders with it",
    Claim.UNKNOWN_PORT: "no packet leaves by a port that the policy does not name",
    Claim.LOOP: "no packet loops",
}


def proof(status: ProofStatus) -> Json:
    """Return the last proof, claim by claim, and what is wrong with it."""
    last = status.last
    return {
        "state": _state(status),
        "summary": summary(status),
        "problems": problems(status),
        "missing": list(status.missing),
        "unmet": list(status.unmet),
        "is_proving": status.is_under_way,
        "is_prover_running": status.is_prover_running,
        "last": _record(last, status) if last else None,
    }


def brief(status: ProofStatus) -> Json:
    """Return what `status` shows of it."""
    return {
        "state": _state(status),
        "summary": summary(status),
        "problems": problems(status),
        "missing": list(status.missing),
    }


def summary(status: ProofStatus) -> str:
    """Return in one line what was last proved, and when."""
    if status.last is None:
        return "nothing is proved yet"
    answer, last = status.last.answer, status.last
    what = "proved for all packets" if answer.is_proved else "NOT proved for all packets"
    known, whole = len(last.switches), len(last.switches) + len(last.missing)
    switches = f"{known} {'switch' if known == 1 else 'switches'}"
    if answer.is_proved and status.undecided_because:
        what = "proved over the known flows, but NOT decided for all packets"
    if last.missing:
        switches = f"{known} of {whole} switches"
        what = f"NOT decided for all {whole} switches" if answer.is_proved else what
    return (
        f"revision {last.revision} {what} {_ago(status.age_s)}: "
        f"{answer.flows} flows on {switches} in {answer.seconds:.3f} s"
    )


def problems(status: ProofStatus) -> list[str]:
    """Return what is wrong, in words: any of them makes `status` red."""
    said = []
    if forced := status.forced:
        said.append(f"revision {forced.revision} is in force without a proof: {forced.reason} ({forced.by})")
    if waits := status.waits:
        why = waits.reason or "its proof is not finished"
        said.append(
            f"the plan for the network as it is now has been held back for {waits.seconds:.0f} s: {why}"
        )
    if status.last and not status.last.answer.is_proved:
        answer = status.last.answer
        first = answer.violations[0]
        more = f", and {answer.found - 1} more" if answer.found > 1 else ""
        said.append(
            f"not proved: {first.packet} from {first.sender} gets through to {first.receiver}{more}; "
            "`postern prove` shows the flows"
        )
        said += [f"other claims are not decided: {why}" for why in [answer.undecided] if why]
    said += status.unmet
    if status.unfinished:
        said.append(f"the proof is not finished: {status.unfinished}")
    elif status.late_s:
        said.append(f"what the switches hold has not been proved for {status.late_s:.0f} s")
    if status.late_s and not status.is_prover_running:
        said.append("the proving process does not run; the journal says why (ProverEnded)")
    return said


def _state(status: ProofStatus) -> str:
    if status.last is None:
        return "not proved yet"
    if status.last.answer.is_proved:
        return ClaimState.UNDECIDED.value if status.undecided_because else "proved"
    return "failed"


def _record(last: ProofRecord, status: ProofStatus) -> Json:
    answer = last.answer
    return {
        "number": answer.number,
        "revision": last.revision,
        "at_utc": last.at_utc,
        "age_s": round(status.age_s, 1),
        "switches": list(last.switches),
        "missing": list(last.missing),
        **findings(answer, status.places, status.undecided_because),
    }


def findings(answer: Answer, places: Mapping[str, str], doubts: Sequence[str] = ()) -> Json:
    """Return what a proof has found, claim by claim. `places`: in the policy, by rule.

    `doubts`: for example switches about which nothing is known, in words. Then no claim is decided, unless it
    is broken.
    """
    why_undecided = "; ".join(filter(None, (answer.undecided, *doubts)))
    return {
        "flows": answer.flows,
        "seconds": round(answer.seconds, 4),
        "proved": answer.is_proved,
        "complete": answer.is_complete,
        "undecided_because": why_undecided,
        "claims": [_claim_row(claim, answer, why_undecided) for claim in CLAIMS],
        "found": answer.found,
        "violations": [_violation_row(each, places) for each in answer.violations],
    }


def _claim_row(claim: Claim, answer: Answer, why_undecided: str) -> Json:
    state = ClaimState.UNDECIDED if why_undecided else ClaimState.PROVED
    if claim in answer.broken:
        state = ClaimState.BROKEN
    is_proved = state is ClaimState.PROVED
    return {"claim": claim.value, "means": CLAIMS[claim], "state": state.value, "proved": is_proved}


def _violation_row(each: Violation, places: Mapping[str, str]) -> Json:
    return {
        "claim": each.claim.value,
        "means": CLAIMS[each.claim],
        "sender": each.sender,
        "receiver": each.receiver,
        "packet": each.packet,
        "opener": each.opener,
        "confirmed": each.is_confirmed,
        "flows": [_step_row(step, places) for step in each.flows],
    }


def _step_row(step: FlowStep, places: Mapping[str, str]) -> Json:
    return {
        "switch": step.switch,
        "table": step.table,
        "priority": step.priority,
        "cookie": f"{step.cookie:#x}",
        "flow": step.text,
        "rule": step.rule,
        "place": places.get(step.rule, ""),
    }


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 7_200 else f"{seconds / 3_600:.0f} h ago"
