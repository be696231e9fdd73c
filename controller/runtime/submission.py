"""Policies that clients want to apply, from their text until they are proved, reviewed and stored. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from common.config.errors import ConfigErrors
from controller.compiler.errors import CompileError
from controller.plans.state import PlanOutdated
from controller.plans.switches import SwitchPlan
from controller.policy.parse import parse_policy
from controller.runtime.commands.policy import PolicyRevision
from controller.runtime.dependencies import RuntimeDependencies
from controller.runtime.foresight import Foresight
from controller.runtime.gate import Candidate, ProofPending, ProofRefused
from controller.runtime.in_force import InForce
from controller.runtime.principals import Principal
from controller.runtime.proof_state import Forced
from controller.runtime.proofs import Subject
from controller.runtime.prospect import Prospect
from controller.store import StoreError
from controller.telemetry.events import ControllerEvent

_ASKS_EVERY_S = 2.0  # a client that waits asks more often
Review = Callable[[Prospect, tuple[SwitchPlan, ...]], None]


def _accept_all(prospect: Prospect, planned: tuple[SwitchPlan, ...]) -> None:
    """Accept whatever would happen."""


@dataclass(frozen=True, slots=True)
class Terms:
    """`review` may raise after it has seen what would happen. `unproved_because`: apply without a proof."""

    review: Review = _accept_all
    unproved_because: str = ""


NO_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class PolicyEdit:
    """A policy that is proved and stored, and can be put in force. `planned`: what switches will be sent."""

    stored: PolicyRevision
    prospect: Prospect
    planned: tuple[SwitchPlan, ...]


@dataclass(slots=True)
class _Held:
    """A policy while it is being proved. `asked_at`: when its client has last asked for it."""

    file: str
    text: str
    prospect: Prospect
    asked_at: float

    def is_of(self, file: str, text: str) -> bool:
        return self.file == file and self.text == text


class Submissions:
    """Holds one policy at a time; its client asks again and again until it is proved."""

    def __init__(self, outside: RuntimeDependencies, in_force: InForce, foresight: Foresight) -> None:
        self._store, self._journal, self._clock = outside.store, outside.journal, outside.clock
        self._in_force, self._foresight = in_force, foresight
        self._held: _Held | None = None

    def accept(self, now: float, file: str, text: str, by: Principal, terms: Terms) -> PolicyEdit:
        """Check, compile, prove, plan, review and store a policy.

        Raise `ProofPending` until it is proved: then this is to be called again. Raise `ConfigErrors`,
        `CompileError`, `PlanOutdated`, `ProofRefused` or `StoreError` if it is refused.
        """
        try:
            prospect = self._foresee(now, file, text, is_unproved=bool(terms.unproved_because))
            planned = self._foresight.rehearse(now, prospect)
            terms.review(prospect, planned)
            stored = PolicyRevision(self._store.accept_policy(file, text).revision, file)
        except (ConfigErrors, CompileError, StoreError, PlanOutdated, ProofRefused) as error:
            self._journal.write(ControllerEvent.POLICY_REFUSED, file=file, reason=str(error), by=str(by))
            raise
        self._held = None
        self._force(stored, by, terms.unproved_because)
        return PolicyEdit(stored, prospect, planned)

    def _foresee(self, now: float, file: str, text: str, *, is_unproved: bool) -> Prospect:
        if is_unproved:
            return self._foresight.foresee(now, parse_policy(text, file))
        return self._prove(now, file, text)

    def _force(self, stored: PolicyRevision, by: Principal, because: str) -> None:
        """Let this revision pass the gate without a proof, if there is a reason, and no other one."""
        self._in_force.gate.force(Forced(stored.revision, str(by), because) if because else None)
        if because:
            self._journal.write(
                ControllerEvent.PLAN_FORCED,
                revision=stored.revision,
                file=stored.file,
                by=str(by),
                reason=because,
            )

    def _prove(self, now: float, file: str, text: str) -> Prospect:
        """Return what would be in force with a policy, once it is proved.

        Raise `ProofPending` before that, and compile again only if the network has changed since.
        """
        self._check(now, file, text)
        held = self._held if self._held and self._held.is_of(file, text) else None
        policy = held.prospect.written if held else parse_policy(text, file)
        prospect = self._foresight.foresee(now, policy, held.prospect if held else None)
        # Compiling may take longer than a client waits between two questions.
        self._held = _Held(file, text, prospect, self._clock.monotonic())
        subject = Subject(self._in_force.revision + 1, prospect.carried, prospect.conditions)
        self._in_force.gate.admit(now, Candidate(subject, prospect.wires))
        return prospect

    def holds(self, file: str, text: str) -> bool:
        return self._held is not None and self._held.is_of(file, text)

    def is_free(self, now: float) -> bool:
        """Return whether no client waits for a policy."""
        return self._held is None or now - self._held.asked_at >= _ASKS_EVERY_S

    def _check(self, now: float, file: str, text: str) -> None:
        """Raise `ProofPending` while a policy is being proved, for its own client and for others.

        Others need not wait for a client that no longer asks.
        """
        held = self._held
        if held is None or not self._in_force.gate.is_undecided(held.prospect.wires):
            return
        if held.is_of(file, text):
            held.asked_at = now
            raise ProofPending("the policy is being proved")
        if now - held.asked_at < _ASKS_EVERY_S:
            raise ProofPending("another policy is being proved")
