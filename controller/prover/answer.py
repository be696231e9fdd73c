"""What the proving process answers, as bounded JSON. The controller trusts nothing in it but its meaning."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from controller.proof.model import Claim, FlowStep, Violation

MOST_ANSWER_BYTES = 1 << 20
MOST_VIOLATIONS = 50
_MOST_STEPS = 60
_LONGEST_TEXT = 300


class AnswerError(Exception):
    """What came from the proving process is not an answer."""


class ProofOutcome(StrEnum):
    PROVED = "proved"
    FAILED = "failed"
    NOT_FINISHED = "not finished"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to the question `number`. `reason`: why it is not finished. `found`: all violations.

    `violations`: at most `MOST_VIOLATIONS` of them. `claims`: those that any of all violations breaks.
    `is_complete`: the proof did not stop early. `seconds`: of computing.
    """

    number: int
    outcome: ProofOutcome
    seconds: float = 0.0
    flows: int = 0
    found: int = 0
    violations: tuple[Violation, ...] = ()
    reason: str = ""
    claims: frozenset[Claim] = frozenset()
    is_complete: bool = True

    @property
    def is_proved(self) -> bool:
        return self.outcome is ProofOutcome.PROVED

    @property
    def broken(self) -> frozenset[Claim]:
        """Return the claims that do not hold."""
        return self.claims | {each.claim for each in self.violations}

    @property
    def undecided(self) -> str:
        """Return why it is not known whether the other claims hold; empty: they do."""
        if self.outcome is ProofOutcome.NOT_FINISHED:
            return self.reason
        if not self.is_complete:
            return "the proof stopped early"
        return "packets may go anywhere by a flow with an unknown effect" * (Claim.ANYWHERE in self.broken)


@dataclass(frozen=True, slots=True)
class ProverStarted:
    pid: int


@dataclass(frozen=True, slots=True)
class ProverEnded:
    """`pause_s`: how long until the next start."""

    reason: str
    pause_s: float


ProverReport = Answer | ProverStarted | ProverEnded


class Findings(Protocol):
    """What `controller.proof.prove` finds, as far as it crosses."""

    @property
    def flows(self) -> int: ...

    @property
    def violations(self) -> tuple[Violation, ...]: ...

    @property
    def is_complete(self) -> bool: ...


def answer_of(number: int, seconds: float, found: Findings) -> Answer:
    """Return the answer with what a proof has found within some seconds."""
    return Answer(
        number,
        ProofOutcome.FAILED if found.violations else ProofOutcome.PROVED,
        seconds,
        found.flows,
        len(found.violations),
        tuple(found.violations[:MOST_VIOLATIONS]),
        claims=frozenset(each.claim for each in found.violations),
        is_complete=found.is_complete,
    )


def not_finished(number: int, reason: str) -> Answer:
    return Answer(number, ProofOutcome.NOT_FINISHED, reason=reason[:_LONGEST_TEXT])


def encode_answer(answer: Answer) -> bytes:
    facts = {
        "number": answer.number,
        "outcome": answer.outcome.value,
        "seconds": answer.seconds,
        "flows": answer.flows,
        "found": answer.found,
        "violations": [_violation_row(each) for each in answer.violations],
        "reason": answer.reason[:_LONGEST_TEXT],
        "claims": sorted(claim.value for claim in answer.claims),
        "is_complete": answer.is_complete,
    }
    return json.dumps(facts).encode()


def _violation_row(each: Violation) -> list[object]:
    texts = (each.sender, each.receiver, each.packet, each.opener)
    steps = [
        [step.switch, step.table, step.rule, step.text[:_LONGEST_TEXT], step.priority, step.cookie]
        for step in each.flows[:_MOST_STEPS]
    ]
    return [each.claim.value, *(text[:_LONGEST_TEXT] for text in texts), steps, each.is_confirmed]


def decode_answer(body: bytes) -> Answer:
    """Raise `AnswerError` on anything that `encode_answer` cannot have written."""
    try:
        facts = json.loads(body)
        answer = Answer(
            _integer(facts["number"]),
            ProofOutcome(facts["outcome"]),
            float(facts["seconds"]),
            _integer(facts["flows"]),
            _integer(facts["found"]),
            tuple(_violation_of(row) for row in facts["violations"][:MOST_VIOLATIONS]),
            _text(facts["reason"]),
            frozenset(map(Claim, facts["claims"])),
            facts["is_complete"] is True,
        )
        if answer.is_proved and (answer.broken or not answer.is_complete):
            raise ValueError("proved, but with broken claims, or stopped early")
        if bool(answer.violations) is not (answer.outcome is ProofOutcome.FAILED):
            raise ValueError(f"{answer.outcome} with {len(answer.violations)} violations")
        return answer
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise AnswerError(f"not a valid answer: {type(error).__name__}: {error}"[:_LONGEST_TEXT]) from error


def _violation_of(row: Any) -> Violation:
    claim, *texts, steps, is_confirmed = row
    sender, receiver, packet, opener = map(_text, texts)
    flows = tuple(map(_step_of, steps[:_MOST_STEPS]))
    return Violation(Claim(claim), sender, receiver, packet, opener, flows, bool(is_confirmed))


def _step_of(row: Any) -> FlowStep:
    *texts, priority, cookie = row
    switch, table, rule, text = map(_text, texts)
    return FlowStep(switch, table, _integer(priority), _integer(cookie), rule, text)


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 64:
        raise ValueError("a number is expected")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return value[:_LONGEST_TEXT]
