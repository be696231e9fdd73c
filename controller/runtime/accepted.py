"""The policy that is carried out, with what each switch has to hold for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.pipeline.flows import SwitchState
from controller.policy.model import Policy
from controller.sync.state import WireState


@dataclass(frozen=True, slots=True)
class Accepted:
    """A policy that passed, compiled, and the state that each switch must have."""

    revision: int
    file: str
    policy: Policy
    states: Mapping[str, SwitchState]
    wires: Mapping[str, WireState]
