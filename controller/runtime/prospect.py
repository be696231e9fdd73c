"""What would be in force once a policy is accepted. `plan` shows it, and `apply` carries out the same."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.compiler.network_state import Conditions
from controller.pipeline.flows import SwitchState
from controller.policy.model import Policy
from controller.pools.roster import Roster
from controller.runtime.decision_changes import DecisionProspect
from controller.sync.state import WireState


@dataclass(frozen=True, slots=True)
class Prospect:
    """`written`: the policy as in the file. `carried`: with members that must first finish their sessions.

    `roster` and `decisions` are what the runtime takes over; nothing in them is in use before that.
    """

    written: Policy
    carried: Policy
    roster: Roster
    conditions: Conditions
    states: Mapping[str, SwitchState]
    wires: Mapping[str, WireState]
    decisions: DecisionProspect
