"""What pools would have if all their members took new sessions: a proof of that holds for fewer, too.

Pools that take no sessions at all stay as they are, because mail goes another way then.
"""

from collections.abc import Iterator

from controller.compiler.groups import member_name
from controller.compiler.network_state import Conditions
from controller.compiler.stages import affinity, service
from controller.compiler.view import PolicyView, SwitchView
from controller.ids import group_id
from controller.pipeline.flows import SwitchState
from controller.policy.model import Policy


def widest_conditions(policy: Policy, conditions: Conditions) -> Conditions:
    """Return the same conditions with all members of pools that take sessions, and none of the others."""
    shares = {
        f"pools.{pool.name}.members.{member.name}": max(1, member.weight) if conditions.takes(pool) else 0
        for pool in policy.pools
        for member in pool.members
    }
    return Conditions(shares, conditions.broken, conditions.unready)


def compile_pools(policy: Policy, conditions: Conditions) -> Iterator[tuple[str, SwitchState]]:
    """Yield the flows and groups that depend on which members of pools take new sessions, by switch."""
    whole = PolicyView(policy, conditions)
    for switch in policy.switches:
        view = SwitchView(whole, switch)
        flows = {flow.key: flow for flow in affinity.build_flows(view)}
        groups = (*service.build_groups(view), *affinity.build_groups(view))
        yield switch.name, SwitchState(flows, {group.group_id: group for group in groups})


def pool_groups(policy: Policy) -> frozenset[int]:
    """Return the numbers of the groups of all pools."""
    return frozenset(group_id(pool.name) for pool in policy.pools)


def member_groups(policy: Policy) -> frozenset[int]:
    """Return the numbers of the groups of all members."""
    return frozenset(group_id(member_name(pool, member)) for pool in policy.pools for member in pool.members)
