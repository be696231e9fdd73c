"""A question to the proving process: what to prove, and what for."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from controller.compiler.network_state import Conditions
from controller.policy.model import Policy
from controller.sync.state import WireState


class Purpose(StrEnum):
    """In the order in which questions are asked. Only the newest one of a purpose matters."""

    PLAN = "plan"  # the policy in force, for the network as it is now: the switches wait for it
    POLICY = "policy"  # a policy that a client wants to apply
    STANDING = "standing"  # what the switches hold


@dataclass(frozen=True, slots=True)
class Question:
    """`number` grows. `switches`: the state of each switch. It must not be changed any more."""

    number: int
    purpose: Purpose
    revision: int
    policy: Policy
    conditions: Conditions
    switches: Mapping[str, WireState]


@dataclass(frozen=True, slots=True)
class Asking:
    """The last piece of a question, which says what to do with the others."""

    number: int
    purpose: Purpose
    revision: int
