"""The standing proof: what was last proved about what the switches hold, and when it is due again. Pure.

Every change of what a switch holds makes a new proof due. At most one is under way; changes in the meantime
lead to one more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from common.journal.journal import Journal
from controller.compiler.network_state import Conditions
from controller.policy.model import Policy
from controller.proof.model import Violation
from controller.prover.answer import Answer, ProofOutcome, ProverEnded, ProverStarted
from controller.prover.question import Purpose, Question
from controller.runtime.proof_state import ProofRecord
from controller.runtime.switches import Switches
from controller.runtime.unknown import unknown_state
from controller.sync.session import Phase
from controller.telemetry.events import ControllerEvent

_PAUSE_S = 0.5  # between the ends and beginnings of proofs, at least; and twice as long as the last one took
_SETTLES_WITHIN_S = 5.0  # a switch that takes longer to confirm is proved as it was
_RETRY_S = 60.0  # after a proof that did not finish
_REPEAT_S = 60.0  # a line of the journal that says the same as the last one
_LATE_S = 10.0


class Prover(Protocol):
    """The proving process. The call returns at once; the answer comes as an event."""

    def ask(self, question: Question) -> None: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """The policy that the switches' desired state was compiled from, and for which conditions."""

    revision: int
    policy: Policy
    conditions: Conditions


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """`missing`, `stale`: switches of which nothing is known, or only what they held a while ago, and why."""

    question: Question
    missing: tuple[str, ...]
    stale: Mapping[str, str]
    due_since: float
    began: float


class QuestionNumbers:
    """Numbers of questions, shared by all who ask. `next`: the next one that is given out."""

    def __init__(self) -> None:
        self.next = 1

    def take(self) -> int:
        self.next += 1
        return self.next - 1


class StandingProof:
    def __init__(
        self, journal: Journal, switches: Switches, prover: Prover, numbers: QuestionNumbers
    ) -> None:
        self._journal, self._switches = journal, switches
        self._prover, self._numbers = prover, numbers
        self.last: ProofRecord | None = None
        self.unfinished = ""  # why the latest question did not finish
        self.is_prover_running = False
        self._due_since: float | None = None
        self._not_before = 0.0
        self._under_way: _UnderWay | None = None
        self._told = _Told()
        self._versions: dict[str, int] = {}

    def on_changed(self, now: float) -> None:
        """What some switch holds has changed, or is known again: this makes a new proof due."""
        if self._due_since is None:
            self._due_since = now

    def demand(self, now: float) -> int:
        """Prove as soon as possible; return the number of the first question that comes after this call."""
        self.on_changed(now)
        self._not_before = 0.0
        return self._numbers.next

    def look(self, now: float, subject: Subject) -> None:
        """Begin a proof if one is due."""
        self._note_strays(now)
        if self._due_since is None or self._under_way or now < self._not_before:
            return
        if self._is_settling and now - self._due_since < _SETTLES_WITHIN_S:
            return
        unknown = {each.name: unknown_state(now, each) for each in self._switches.records.values()}
        missing = tuple(f"{name}: {why.reason}" for name, why in unknown.items() if why and not why.is_stale)
        known = {
            each.name: each.session.held
            for each in self._switches.records.values()
            if (why := unknown[each.name]) is None or why.is_stale
        }
        if not known:
            return
        question = Question(
            self._numbers.take(),
            Purpose.STANDING,
            subject.revision,
            subject.policy,
            subject.conditions,
            known,
        )
        stale = {name: f"{name}: {why.reason}" for name, why in unknown.items() if why and why.is_stale}
        self._under_way = _UnderWay(question, missing, stale, self._due_since, now)
        self._due_since = None
        self._prover.ask(question)

    def _note_strays(self, now: float) -> None:
        """Changes by others make a proof due as well; sessions count them."""
        versions = {each.name: each.session.strays.version for each in self._switches.records.values()}
        if versions != self._versions:
            self._versions = versions
            self.on_changed(now)

    def on_answer(self, now: float, utc: float, answer: Answer) -> None:
        asked = self._under_way
        if asked is None or asked.question.number != answer.number:
            return
        self._under_way = None
        if answer.outcome is ProofOutcome.NOT_FINISHED:
            self.unfinished = answer.reason
            self._due_since = asked.due_since
            self._not_before = now + _RETRY_S
        else:
            self.unfinished = ""
            self._not_before = now + max(_PAUSE_S, 2 * answer.seconds)
            question = asked.question
            self.last = ProofRecord(answer, question.revision, tuple(question.switches), asked.missing, utc)
        self._tell(now, asked, answer)

    def on_prover(self, report: ProverStarted | ProverEnded) -> None:
        match report:
            case ProverStarted(pid):
                self._journal.write(ControllerEvent.PROVER_STARTED, pid=pid)
            case ProverEnded(reason, pause_s):
                self._journal.write(ControllerEvent.PROVER_ENDED, reason=reason, pause_s=pause_s)
        self.is_prover_running = isinstance(report, ProverStarted)

    def late_s(self, now: float) -> float:
        """Return for how many seconds the switches have held what is not proved; 0: not too long."""
        since = self._under_way.due_since if self._under_way else self._due_since
        usual = 3 * self.last.answer.seconds if self.last else 0.0
        return 0.0 if since is None or now - since < _LATE_S + usual else now - since

    @property
    def is_under_way(self) -> bool:
        return self._under_way is not None

    def missing(self, now: float) -> tuple[str, ...]:
        """Return which switches cannot be proved now, in words; a silent one may hold anything by now."""
        records = self._switches.records.values()
        return tuple(f"{each.name}: {why.reason}" for each in records if (why := unknown_state(now, each)))

    @property
    def _is_settling(self) -> bool:
        records = self._switches.records.values()
        phases = {each.session.phase for each in records if each.channel is not None}
        return bool(phases & {Phase.READING, Phase.SENDING})

    def _tell(self, now: float, asked: _UnderWay, answer: Answer) -> None:
        revision, missing = asked.question.revision, [*asked.missing, *asked.stale.values()]
        violations = tuple(_essence(each) for each in answer.violations)
        silent = () if violations else tuple(asked.stale)  # a failure is not news because of them
        if not self._told.is_due(now, (answer.outcome, revision, violations, asked.missing, silent)):
            return
        match answer.outcome:
            case ProofOutcome.PROVED:
                self._journal.write(
                    ControllerEvent.PROOF_MADE,
                    revision=revision,
                    switches=[name for name in asked.question.switches if name not in asked.stale],
                    missing=missing,
                    flows=answer.flows,
                    seconds=round(answer.seconds, 3),
                )
            case ProofOutcome.FAILED:
                write_failure(self._journal, "what the switches hold", revision, answer)
            case ProofOutcome.NOT_FINISHED:
                self._journal.write(
                    ControllerEvent.PROOF_NOT_FINISHED,
                    subject="what the switches hold",
                    revision=revision,
                    reason=answer.reason,
                )


class _Told:
    """Limits lines of the journal: the same is said again only after a while."""

    def __init__(self) -> None:
        self._last: object = None
        self._at = 0.0

    def is_due(self, now: float, what: object) -> bool:
        if what == self._last and now - self._at < _REPEAT_S:
            return False
        self._last, self._at = what, now
        return True


def write_failure(journal: Journal, subject: str, revision: int, answer: Answer) -> None:
    """Report a proof that failed: the packet of the first violation, and how many there are."""
    first = answer.violations[0]
    journal.write(
        ControllerEvent.PROOF_FAILED,
        subject=subject,
        revision=revision,
        claim=first.claim.value,
        sender=first.sender,
        receiver=first.receiver,
        packet=first.packet,
        opener=first.opener,
        flows=[f"{step.switch} {step.table}: {step.text}" for step in first.flows],
        rules=list(dict.fromkeys(step.rule for step in first.flows if step.rule)),
        confirmed=first.is_confirmed,
        count=answer.found,
    )


def _essence(each: Violation) -> tuple[str, ...]:
    return (each.claim.value, each.sender, each.receiver)
