"""What is in force: the policy, its members, and what is compiled for the network as it is now.

Compiles, and makes the switches hold the result as soon as the gate lets it pass.
"""

from collections.abc import Mapping
from dataclasses import replace

from controller.compiler.compile import compile_switches
from controller.compiler.network_state import ALL_IS_WELL, Conditions
from controller.pipeline.flows import SwitchState
from controller.policy.model import DriftMode, Policy
from controller.pools.roster import Roster
from controller.runtime.accepted import Accepted
from controller.runtime.commands.policy import PolicyRevision
from controller.runtime.coverage import Coverage
from controller.runtime.dependencies import RuntimeDependencies
from controller.runtime.empty_pools import EmptyPools
from controller.runtime.gate import Candidate, PlanGate
from controller.runtime.planning import PresentState
from controller.runtime.proofs import QuestionNumbers, Subject
from controller.runtime.prospect import Prospect
from controller.runtime.switches import Switches
from controller.runtime.trunks import TrunkWatch
from controller.sync.state import WireState

Compiled = tuple[Mapping[str, SwitchState], Mapping[str, WireState]]  # by the name of the switch


class InForce:
    """`accepted` is None before the first policy. `conditions`: those that its states were compiled for."""

    def __init__(
        self, outside: RuntimeDependencies, numbers: QuestionNumbers, switches: Switches, trunks: TrunkWatch
    ) -> None:
        self._outside, self._switches, self._trunks = outside, switches, trunks
        self.accepted: Accepted | None = None
        self.roster = Roster()
        self.conditions = ALL_IS_WELL
        self.gate = PlanGate(outside.journal, outside.prover, numbers, Coverage(outside.encoder.state))
        self.empty_pools = EmptyPools(outside.journal)

    @property
    def revision(self) -> int:
        """Return the revision of the policy in force; 0: there is none yet."""
        return self.accepted.revision if self.accepted else 0

    @property
    def present(self) -> PresentState:
        return PresentState(self.accepted, self.roster, self.conditions)

    def subject(self, accepted: Accepted) -> Subject:
        """Return what a proof of the switches' state is about."""
        return Subject(accepted.revision, accepted.policy, self.conditions)

    def conditions_of(self, policy: Policy, roster: Roster) -> Conditions:
        """Return the state of the network as it is now, for a policy and its members."""
        broken = frozenset(self._trunks.broken | set(self._switches.ports.down(policy)))
        return Conditions(roster.shares, broken, roster.unready)

    def compile(self, policy: Policy, conditions: Conditions) -> Compiled:
        """Return the state of each switch, also as bytes. Raise `CompileError`."""
        states, wires = {}, {}
        self._outside.give_way()
        for name, state in compile_switches(policy, conditions):
            self._outside.give_way()
            states[name], wires[name] = state, self._outside.encoder.state(state, self._encoded(name))
            self._outside.give_way()
        return states, wires

    def _encoded(self, switch: str) -> tuple[SwitchState, WireState] | None:
        """Return what a switch is to hold now, also as bytes."""
        if self.accepted is None or switch not in self.accepted.states:
            return None
        return self.accepted.states[switch], self.accepted.wires[switch]

    def take_over(self, now: float, new: PolicyRevision, prospect: Prospect) -> Accepted:
        """Put in force what was foreseen for a policy."""
        self.roster, self.conditions = prospect.roster, prospect.conditions
        accepted = Accepted(new.revision, new.file, prospect.carried, prospect.states, prospect.wires)
        return self._set(now, accepted)

    def recompile(self, now: float, accepted: Accepted) -> None:
        """Compile a policy for the network as it is now: new sessions go to the members that take them."""
        self.conditions = self.conditions_of(accepted.policy, self.roster)
        states, wires = self.compile(accepted.policy, self.conditions)
        self._set(now, replace(accepted, states=states, wires=wires))

    def send_if_proved(self, now: float) -> None:
        """Make the switches hold what is in force, unless the gate holds it back until it is proved."""
        if (accepted := self.accepted) is None:
            return
        candidate = Candidate(self.subject(accepted), accepted.wires)
        if self.gate.may_send(now, candidate):
            self._switches.want(now, accepted.revision, accepted.wires)
            self._switches.close_deliveries()
        elif part := self.gate.covered_part(candidate):
            self._switches.want(now, accepted.revision, part)

    def _set(self, now: float, accepted: Accepted) -> Accepted:
        self.accepted = accepted
        self._switches.repair_drift(accepted.policy.drift is DriftMode.REPAIR)
        self.send_if_proved(now)
        self._switches.ports.check(now, accepted.policy)
        self.empty_pools.look(accepted.policy, self.conditions)
        return accepted
