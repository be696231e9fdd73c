"""What is known about proofs, as plain values: for commands, reports, and the parts that keep them. Pure."""

from dataclasses import dataclass

from controller.prover.answer import Answer


@dataclass(frozen=True, slots=True)
class ProofRecord:
    """A proof that finished. `missing`: switches that it says nothing about, in words. `at_utc`: when."""

    answer: Answer
    revision: int
    switches: tuple[str, ...]
    missing: tuple[str, ...]
    at_utc: float


@dataclass(frozen=True, slots=True)
class Forced:
    """A policy that is in force without a proof: its revision, on whose behalf, and why."""

    revision: int
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlanWaits:
    """A state that is not sent: for how long, and why."""

    seconds: float
    reason: str
