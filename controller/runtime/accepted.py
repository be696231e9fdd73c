"""The policy in force, with what each switch must hold for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.pipeline.flows import SwitchState
from controller.policy.model import Policy
from controller.sync.state import WireState


@dataclass(frozen=True, slots=True)
class Accepted:
    """A policy that passed all checks, and the compiled state of each switch."""

    revision: int
    file: str
    policy: Policy
    states: Mapping[str, SwitchState]
    wires: Mapping[str, WireState]
