"""What a reading of a whole switch says about what it was confirmed to hold. Pure."""

from controller.ids import is_decision_meter, is_numbered, is_ours
from controller.sync.plan import Plan
from controller.sync.state import WireFlow, WireKey, WireMeter, WireState


def split(state: WireState) -> tuple[WireState, dict[WireKey, WireFlow], dict[int, WireMeter]]:
    """Return what a switch holds for the policy, and the flows and meters it holds for decisions."""
    flows = {key: flow for key, flow in state.flows.items() if is_numbered(flow.cookie)}
    meters = {number: each for number, each in state.meters.items() if is_decision_meter(number)}
    rest = WireState(
        {key: flow for key, flow in state.flows.items() if key not in flows},
        state.groups,
        state.learned,
        {number: each for number, each in state.meters.items() if number not in meters},
    )
    return rest, flows, meters


def without_foreign(held: WireState, desired: WireState) -> tuple[WireState, dict[WireKey, WireFlow]]:
    """Return what is Postern's, and the flows that do not bear one of its cookies.

    Learned flows are left out: they come and go by themselves. A switch without any such cookie is new, so
    nothing on it counts as foreign.
    """
    flows = {key: flow for key, flow in held.flows.items() if not desired.may_have_learned(flow)}
    foreign = {key: flow for key, flow in flows.items() if not is_ours(flow.cookie)}
    if len(foreign) == len(flows):
        foreign = {}
    ours = {key: flow for key, flow in flows.items() if key not in foreign}
    return WireState(ours, held.groups, held.learned, held.meters), foreign


def is_restarted(before: WireState, held: WireState) -> bool:
    """Return whether a switch has lost all that it held for us."""
    return bool(before.flows) and not any(is_ours(flow.cookie) for flow in held.flows.values())


def took_effect(plan: Plan, held: WireState) -> bool:
    """Return whether a plan, which takes effect as a whole or not at all, did so.

    Others may have changed some of it since, so the majority counts.
    """
    signs = [flow.is_like(held.flows.get(flow.key)) for flow in plan.put_flows]
    signs += [flow.key not in held.flows for flow in plan.deleted_flows]
    signs += [held.groups.get(each.group_id) == each for each in (*plan.new_groups, *plan.changed_groups)]
    signs += [each.group_id not in held.groups for each in plan.deleted_groups]
    return 2 * sum(signs) > len(signs)
