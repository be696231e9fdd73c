"""Commands about proofs: demand one, and read the last."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.runtime.commands.base import Command
from controller.runtime.proof_state import Forced, PlanWaits, ProofRecord


@dataclass(frozen=True, slots=True)
class ProofStatus:
    """`age_s`: of the last proof. `late_s`: how long the switches have held what is not proved; 0: not long.

    `unfinished`: why the latest proof did not finish. `missing`: switches that cannot be proved now, and why.
    `places`: places in the policy, by rule, of the rules of the last proof's violations. `waits`: the plan
    for the network as it is now, if it is held back. `forced`: the policy in force, if it needs no proof.
    `unmet`: which switches do not behave as a proof over their flows assumes, and why.
    """

    last: ProofRecord | None
    age_s: float
    is_under_way: bool
    is_prover_running: bool
    late_s: float
    unfinished: str
    missing: tuple[str, ...]
    places: Mapping[str, str]
    waits: PlanWaits | None
    forced: Forced | None
    unmet: tuple[str, ...] = ()

    @property
    def undecided_because(self) -> tuple[str, ...]:
        """Return what a proof that found nothing wrong leaves open; empty: nothing."""
        known = self.last.missing if self.last else ()
        return (*known, *(each for each in self.missing if each not in known), *self.unmet)


@dataclass(frozen=True, slots=True)
class DemandProof(Command[int]):
    """Prove what the switches hold as soon as possible.

    Returns the number of the first proof that begins after this command.
    """


@dataclass(frozen=True, slots=True)
class ReadProof(Command[ProofStatus]):
    """Return the last proof, and what is under way."""
