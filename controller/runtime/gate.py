"""The gate before the switches: a state is sent only once it is proved. Pure.

It proves two kinds of states: that of a policy that a client wants to apply, and which changes nothing until
it is proved; and that of the policy in force, recompiled because members, ports or trunks have changed. If an
earlier proof covers a state (members have left or returned, weights have changed), the state passes at once.
Each question is about the widest state, the one with all members of its pools. While a state waits, the part
of it that is covered is sent alone, so that the removal of a dead member does not wait for another proof.
"""

from collections import deque
from dataclasses import dataclass

from common.journal.journal import Journal
from controller.policy.model import Policy
from controller.proof.model import Violation
from controller.prover.answer import Answer, ProofOutcome
from controller.prover.question import Purpose, Question
from controller.runtime.coverage import Coverage, Wires
from controller.runtime.explain import place_of
from controller.runtime.proof_state import Forced, PlanWaits
from controller.runtime.proofs import Prover, QuestionNumbers, Subject, write_failure
from controller.telemetry.events import ControllerEvent

_RETRY_S = 10.0  # after a proof that did not finish
_KEPT = 4  # states that were proved: a trunk that comes back leads to one of them
_TAKES_A_MOMENT_S = 2.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the switches would hold. Its decisions are covered by their form, which a proof assumes."""

    subject: Subject
    wires: Wires


class ProofPending(Exception):
    """The state is not proved yet: nothing has changed, and the same command is to be tried again."""


class ProofRefused(Exception):
    """The proof failed: nothing has changed. The text has a packet that gets through."""

    def __init__(self, violations: tuple[Violation, ...], found: int, policy: Policy) -> None:
        super().__init__("\n".join(_refusal(violations, found, policy)))
        self.violations = violations


@dataclass(slots=True)
class _Asked:
    """`widest` is what the question is about; it covers the candidate. `is_wanted`: a state waits for it."""

    candidate: Candidate
    widest: Wires
    number: int
    since: float
    answer: Answer | None = None
    retry_at: float = 0.0
    is_wanted: bool = True


@dataclass(frozen=True, slots=True)
class _Proved:
    candidate: Candidate
    widest: Wires

    def holds_for(self, other: Candidate, coverage: Coverage) -> bool:
        return self.candidate.wires is other.wires or (
            self.candidate.subject.policy == other.subject.policy
            and coverage.are_covered(other.wires, self.widest)
        )


@dataclass(frozen=True, slots=True)
class _Sent:
    """What was sent last, and what was proved that covers it; None: nothing, it was forced."""

    wires: Wires
    proved: Wires | None


class PlanGate:
    """Remembers what was proved and sent, and asks about what is not proved."""

    def __init__(
        self, journal: Journal, prover: Prover, numbers: QuestionNumbers, coverage: Coverage
    ) -> None:
        self._journal, self._prover, self._numbers = journal, prover, numbers
        self._coverage = coverage
        self._proved: deque[_Proved] = deque(maxlen=_KEPT)  # the one that was of use last comes last
        self._sent: _Sent | None = None
        self._asked: dict[Purpose, _Asked] = {}
        self.forced: Forced | None = None

    def admit(self, now: float, candidate: Candidate) -> None:
        """Return if a policy's state may be applied. Raise `ProofPending` or `ProofRefused` otherwise."""
        if self._is_proved(candidate):
            self._asked.pop(Purpose.POLICY, None)
            return
        answer = self._ask(now, Purpose.POLICY, candidate)
        if answer is None:
            raise ProofPending("the policy is being proved")
        if answer.outcome is ProofOutcome.NOT_FINISHED:
            raise ProofPending(f"the proof is not finished: {answer.reason}")
        del self._asked[Purpose.POLICY]
        raise ProofRefused(answer.violations, answer.found, candidate.subject.policy)

    def is_undecided(self, wires: Wires) -> bool:
        """Return whether this very state of a policy is being proved."""
        asked = self._asked.get(Purpose.POLICY)
        return asked is not None and asked.candidate.wires is wires and asked.answer is None

    def force(self, forced: Forced | None) -> None:
        """Let states of this revision pass from now on, proved or not. None: no longer."""
        self.forced = forced
        if forced is not None:
            self._asked.pop(Purpose.POLICY, None)

    def may_send(self, now: float, candidate: Candidate) -> bool:
        """Return whether a state of the policy in force may be sent; otherwise it is being proved."""
        is_forced = self.forced is not None and self.forced.revision == candidate.subject.revision
        proved = self._find(candidate)
        if is_forced or proved is not None:
            self._withdraw()
            self._sent = _Sent(candidate.wires, proved.widest if proved else None)
            return True
        self._ask(now, Purpose.PLAN, candidate)
        return False

    def covered_part(self, candidate: Candidate) -> Wires | None:
        """Return what may be sent at once of a state that has to wait; None: nothing has changed in it."""
        sent = self._sent
        if sent is None or sent.proved is None:
            return None
        part = self._coverage.part(candidate.subject.policy, sent.wires, candidate.wires, sent.proved)
        if part is sent.wires:
            return None
        self._sent = _Sent(part, sent.proved)
        return part

    def on_answer(self, now: float, answer: Answer) -> Purpose | None:
        """Process an answer; return what it was for, if a state waits for it."""
        found = [(purpose, each) for purpose, each in self._asked.items() if each.number == answer.number]
        if not found:
            return None
        ((purpose, asked),) = found
        asked.answer = answer
        if not asked.is_wanted:
            del self._asked[purpose]
        subject = f"a plan for revision {asked.candidate.subject.revision}"
        match answer.outcome:
            case ProofOutcome.PROVED:
                self._proved.append(_Proved(asked.candidate, asked.widest))
            case ProofOutcome.FAILED:
                write_failure(self._journal, subject, asked.candidate.subject.revision, answer)
            case ProofOutcome.NOT_FINISHED:
                asked.retry_at = now + _RETRY_S
                self._journal.write(
                    ControllerEvent.PROOF_NOT_FINISHED,
                    subject=subject,
                    revision=asked.candidate.subject.revision,
                    reason=answer.reason,
                )
        return purpose if asked.is_wanted else None

    def on_tick(self, now: float) -> None:
        """Ask again what did not finish."""
        for purpose, asked in self._asked.items():
            if asked.retry_at and now >= asked.retry_at:
                self._put(purpose, asked)

    @property
    def is_holding(self) -> bool:
        """Return whether the switches do not get what is compiled for the network as it is now."""
        return self._waiting is not None

    def is_deciding(self, now: float) -> bool:
        """Return whether a proof about the network as it is now has just begun: it may end soon."""
        asked = self._waiting
        return asked is not None and asked.answer is None and now - asked.since < _TAKES_A_MOMENT_S

    def waits(self, now: float) -> PlanWaits | None:
        """Return why the switches do not get what is compiled for the network as it is now."""
        asked = self._waiting
        if asked is None:
            return None
        seconds = now - asked.since
        match asked.answer:
            case None:
                return PlanWaits(seconds, "") if seconds > _TAKES_A_MOMENT_S else None
            case Answer(outcome=ProofOutcome.FAILED, violations=(first, *_)):
                return PlanWaits(seconds, f"refused: {first.packet} would get through to {first.receiver}")
            case answer:
                return PlanWaits(seconds, answer.reason)

    @property
    def _waiting(self) -> _Asked | None:
        """Return what the switches wait for."""
        asked = self._asked.get(Purpose.PLAN)
        return asked if asked is not None and asked.is_wanted else None

    def _withdraw(self) -> None:
        """Nothing waits any more. A proof that is under way goes on: the network may change back."""
        asked = self._asked.get(Purpose.PLAN)
        if asked is not None and asked.answer is None:
            asked.is_wanted = False
        else:
            self._asked.pop(Purpose.PLAN, None)

    def _is_proved(self, candidate: Candidate) -> bool:
        return self._find(candidate) is not None

    def _find(self, candidate: Candidate) -> _Proved | None:
        """Return what was proved and holds for a state."""
        for each in reversed(self._proved):
            if each.holds_for(candidate, self._coverage):
                self._proved.remove(each)
                self._proved.append(each)
                return each
        return None

    def _ask(self, now: float, purpose: Purpose, candidate: Candidate) -> Answer | None:
        """Return the answer about a state, or None and ask.

        A proof of the network that is under way is not given up for the next state: conditions that change
        faster than they are proved would keep the switches waiting for ever.
        """
        asked = self._asked.get(purpose)
        if asked is not None and asked.candidate.wires is candidate.wires:
            return asked.answer
        if asked is not None and asked.answer is None and purpose is Purpose.PLAN:
            asked.since = asked.since if asked.is_wanted else now
            asked.is_wanted = True
            return None
        subject = candidate.subject
        widest = self._coverage.widest(subject.policy, subject.conditions, candidate.wires)
        since = asked.since if asked is not None and purpose is Purpose.PLAN else now
        asked = self._asked[purpose] = _Asked(candidate, widest, 0, since)
        self._put(purpose, asked)
        return None

    def _put(self, purpose: Purpose, asked: _Asked) -> None:
        subject = asked.candidate.subject
        asked.number, asked.retry_at = self._numbers.take(), 0.0
        self._prover.ask(
            Question(
                asked.number,
                purpose,
                subject.revision,
                subject.policy,
                subject.conditions,
                asked.widest,
            )
        )


def _refusal(violations: tuple[Violation, ...], found: int, policy: Policy) -> list[str]:
    first = violations[0]
    lines = [
        f"not applied: the proof failed: {first.claim.value}: a packet from {first.sender} gets through to "
        f"{first.receiver}",
        f"  packet: {first.packet}",
    ]
    if first.opener:
        lines.append(f"  opened by: {first.opener}")
    for step in first.flows:
        origin = f"{step.rule} {place_of(policy, step.rule)}" if step.rule else "not ours"
        lines.append(f"  {step.switch} {step.table}: {step.text}  ({origin})")
    if found > 1:
        lines.append(f"  and {found - 1} more")
    return lines
