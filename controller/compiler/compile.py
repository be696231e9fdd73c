"""Compiles a policy: runs every stage for each switch, merges the results, and verifies them.

Raises `CompileError` if two rules conflict; its text names both.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from controller.compiler import id_clashes
from controller.compiler.errors import CompileError
from controller.compiler.network_state import ALL_IS_WELL, Conditions
from controller.compiler.stages import (
    admission,
    affinity,
    commit,
    forward,
    home,
    miss,
    neighbour,
    resume,
    route,
    sample,
    service,
    source,
    suspicion,
    track,
    visitor,
)
from controller.compiler.verify import Bypass, allowed_bypasses, verify
from controller.compiler.view import PolicyView, SwitchView
from controller.pipeline.flows import Flow, FlowKey, Group, Meter, SwitchState
from controller.policy.model import Policy

_STAGES: tuple[Callable[[SwitchView], Iterator[Flow]], ...] = (
    admission.build_flows,
    neighbour.build_flows,
    visitor.build_flows,
    source.build_flows,
    home.build_flows,
    track.build_flows,
    resume.build_flows,
    suspicion.build_flows,
    service.build_flows,
    affinity.build_flows,
    route.build_flows,
    commit.build_flows,
    forward.build_flows,
    sample.build_flows,
)

_METER_STAGES: tuple[Callable[[SwitchView], Iterator[Meter]], ...] = (
    suspicion.build_meters,
    sample.build_meters,
)

_GROUP_STAGES: tuple[Callable[[SwitchView], Iterator[Group]], ...] = (
    service.build_groups,
    affinity.build_groups,
    route.build_groups,
    forward.build_groups,
)


def compile_policy(policy: Policy, conditions: Conditions = ALL_IS_WELL) -> Mapping[str, SwitchState]:
    """Return the desired state of every switch, by switch name."""
    return dict(compile_switches(policy, conditions))


def compile_switches(
    policy: Policy, conditions: Conditions = ALL_IS_WELL
) -> Iterator[tuple[str, SwitchState]]:
    """Yield the name and the desired state of every switch, one by one."""
    id_clashes.check(policy)
    whole = PolicyView(policy, conditions)
    allowed = allowed_bypasses(policy, conditions)
    for switch in policy.switches:
        yield switch.name, compile_switch(SwitchView(whole, switch), allowed)


def compile_switch(view: SwitchView, allowed: frozenset[Bypass]) -> SwitchState:
    flows = _merge(flow for build in _STAGES for flow in build(view))
    flows |= {flow.key: flow for flow in miss.build_flows(view, flows.values())}
    groups = {group.group_id: group for build in _GROUP_STAGES for group in build(view)}
    meters = {meter.meter_id: meter for build in _METER_STAGES for meter in build(view)}
    state = SwitchState(flows, groups, meters)
    verify(state, allowed)
    return state


def _merge(flows: Iterable[Flow]) -> dict[FlowKey, Flow]:
    """Return flows by key. Raise `CompileError` if two rules want different things of one packet."""
    flow_by_key: dict[FlowKey, Flow] = {}
    for flow in flows:
        first = flow_by_key.setdefault(flow.key, flow)
        if (first.actions, first.goto) != (flow.actions, flow.goto):
            raise CompileError(
                f"`{first.because}` and `{flow.because}` require different actions "
                f"for the same packets in table `{flow.table.label}`",
                "change one of the two",
            )
    return flow_by_key
