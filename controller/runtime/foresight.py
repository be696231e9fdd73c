"""Finds out what would be in force with a policy, and what switches would be sent. Changes nothing."""

from controller.plans.switches import SwitchPlan
from controller.policy.model import Policy
from controller.pools.health import trusted
from controller.pools.removed_members import member_paths, with_leaving
from controller.pools.roster import Roster
from controller.runtime.in_force import InForce
from controller.runtime.memory import NetworkMemory
from controller.runtime.prospect import Prospect
from controller.runtime.suspicion import DecisionKeeper
from controller.runtime.switch_foresight import SwitchForesight
from controller.store import Store


class Foresight:
    """`postern plan` shows what it returns, and `postern apply` carries out the same."""

    def __init__(
        self,
        store: Store,
        in_force: InForce,
        memory: NetworkMemory,
        suspicion: DecisionKeeper,
        switches: SwitchForesight,
    ) -> None:
        self._store, self._in_force, self._memory = store, in_force, memory
        self._suspicion, self._switches = suspicion, switches

    def foresee(self, now: float, policy: Policy, known: Prospect | None = None) -> Prospect:
        """Return what would be in force if a policy were accepted now.

        `known`: of the same policy a moment ago; it is not compiled again if it still holds. Raise
        `CompileError`.
        """
        roster = self._in_force.roster.copy()
        carried = self._with_leaving(now, policy, roster)
        conditions = self._in_force.conditions_of(carried, roster)
        if known is not None and known.carried == carried and known.conditions == conditions:
            states, wires = known.states, known.wires
        else:
            states, wires = self._in_force.compile(carried, conditions)
        decisions = self._suspicion.foresee(policy)
        return Prospect(policy, carried, roster, conditions, states, wires, decisions)

    def rehearse(self, now: float, prospect: Prospect) -> tuple[SwitchPlan, ...]:
        """Return what each switch would be sent, and which of its settings would be put back."""
        return self._switches.rehearse(now, prospect)

    def _with_leaving(self, now: float, policy: Policy, roster: Roster) -> Policy:
        """Return the policy, and removed members that still have sessions to finish. `roster` takes it up."""
        before = self._in_force.accepted
        # The last count may be old, so every reachable member stays until the next one.
        reachable = {each.path for each in roster.members if each.has_port}
        carried = with_leaving(policy, before.policy, reachable.__contains__) if before else policy
        leaving = member_paths(carried) - member_paths(policy)
        newcomer = None if before else trusted(now)
        roster.on_policy(carried, self._store.drained(), leaving, newcomer, now)
        if before is None:
            roster.recall(now, self._memory.known)
        return carried if leaving else policy
