"""Which states a proof holds for besides its own: those that differ in the health of members only. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from controller.compiler.network_state import Conditions
from controller.compiler.widest import compile_pools, member_groups, pool_groups, widest_conditions
from controller.pipeline.flows import SwitchState
from controller.policy.model import Policy
from controller.proof.covered import PoolGroups, are_covered, covered_part
from controller.sync.state import WireState

Wires = Mapping[str, WireState]


@dataclass(frozen=True, slots=True)
class Coverage:
    """`encode` turns what is compiled for a switch into bytes."""

    encode: Callable[[SwitchState], WireState]

    def are_covered(self, wanted: Wires, proved: Wires) -> bool:
        """Return whether the proof of the second state holds for the first one."""
        return are_covered(wanted, proved)

    def widest(self, policy: Policy, conditions: Conditions, wires: Wires) -> Wires:
        """Return the state with all members of its pools. Its proof holds whichever of them are in use."""
        found = dict(wires)
        for name, pools in compile_pools(policy, widest_conditions(policy, conditions)):
            more, state = self.encode(pools), wires[name]
            flows, groups = {**state.flows, **more.flows}, {**state.groups, **more.groups}
            if (flows, groups) != (state.flows, state.groups):
                found[name] = replace(state, flows=flows, groups=groups)
        return found if are_covered(wires, found) else wires

    def part(self, policy: Policy, sent: Wires, wanted: Wires, proved: Wires) -> Wires:
        """Return `sent` after those changes on the way to `wanted` that `proved`, which covers it, allows."""
        numbers = PoolGroups(pool_groups(policy), member_groups(policy))
        if not sent.keys() == wanted.keys() == proved.keys():
            return sent
        found = {
            name: covered_part(state, wanted[name], proved[name], numbers) for name, state in sent.items()
        }
        return sent if all(found[name] is state for name, state in sent.items()) else found
