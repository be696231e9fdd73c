"""Describes what accepting a policy would do: its changes in words, sessions, and what switches are sent."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from controller.compiler.names import names_of
from controller.compiler.network_state import ALL_IS_WELL, Conditions
from controller.drift.model import Difference, DriftChange, DriftKind
from controller.drift.words import Thing
from controller.ids import is_numbered, rule_of
from controller.pipeline.flows import Flow, SwitchState
from controller.pipeline.show import Shower
from controller.pipeline.tables import Table
from controller.plans.changes import NetworkPolicy, PolicyChange, changes_between
from controller.plans.sessions import forecast
from controller.plans.state import conditions_in_words, planned_state
from controller.plans.switches import SwitchPlan
from controller.policy.model import Policy
from controller.pools.roster import Roster
from controller.runtime.accepted import Accepted
from controller.runtime.commands.policy import ApplyPolicy, FlowChanges, PlanPolicy, PolicyPlan
from controller.runtime.encoding import EncodeFlow, Encoder
from controller.runtime.prospect import Prospect
from controller.sync.state import WireFlow, WireGroup, WireMeter
from controller.sync.strays import Stray
from controller.topology.homes import moved_homes

DescribeThing = Callable[[Thing], str]
_MOST_DECISIONS_SHOWN = 1_000
_MOST_STRAYS_SHOWN = 1_000


@dataclass(frozen=True, slots=True)
class PresentState:
    """What is in force while a plan is made. `accepted` is None before the first policy."""

    accepted: Accepted | None
    roster: Roster
    conditions: Conditions

    @property
    def policy(self) -> Policy:
        return self.accepted.policy if self.accepted else Policy()

    @property
    def revision(self) -> int:
        return self.accepted.revision if self.accepted else 0


def describe(
    now: PresentState,
    command: ApplyPolicy | PlanPolicy,
    prospect: Prospect,
    switches: tuple[SwitchPlan, ...],
    describe_thing: DescribeThing,
) -> PolicyPlan:
    """Return what a command does, or would do."""
    conditions = now.conditions if now.accepted else ALL_IS_WELL
    before = NetworkPolicy(now.policy, conditions, {each.path: each for each in now.roster.members})
    members = prospect.roster.members
    after = NetworkPolicy(prospect.carried, prospect.conditions, {each.path: each for each in members})
    words = conditions_in_words(prospect.conditions, members)
    moved = moved_homes(now.policy, prospect.written) if now.accepted else ()
    warnings = (warning for each in switches for warning in each.settings.warnings(each.switch))
    return PolicyPlan(
        (*changes_between(before, after), *_of_decisions(prospect)),
        words,
        forecast(now.policy, prospect.carried, command.counts),
        switches,
        tuple(sorted({each.name for each in now.policy.switches} - {each.switch for each in switches})),
        planned_state(
            now.revision,
            command.text,
            words,
            switches,
            lambda stray: str(_difference(stray, describe_thing)),
        ),
        (*moved, *warnings),
    )


def _of_decisions(prospect: Prospect) -> Iterator[PolicyChange]:
    withdrawn = prospect.decisions.withdrawn
    if withdrawn:
        text = f"{len(withdrawn)} of them end, because the policy forbids them"
        yield PolicyChange("decisions", text)


def _difference(stray: Stray, describe_thing: DescribeThing) -> Difference:
    held, wanted = stray.held, stray.wanted
    change = DriftChange.MISSING if held is None else DriftChange.CHANGED if wanted else DriftChange.FOREIGN
    text, wish = ("" if each is None else describe_thing(each) for each in (held, wanted))
    return Difference("", _kind(held or wanted), change, "", text, wish, "")


def _kind(thing: Thing | None) -> DriftKind:
    match thing:
        case WireGroup():
            return DriftKind.GROUP
        case WireMeter():
            return DriftKind.METER
    return DriftKind.FLOW


def _repaired(plan: SwitchPlan, describe_thing: DescribeThing) -> Iterator[str]:
    for stray in plan.strays[:_MOST_STRAYS_SHOWN]:
        yield f"{_difference(stray, describe_thing)}; {'is put right' if stray.wanted else 'is removed'}"
    if len(plan.strays) > _MOST_STRAYS_SHOWN:
        yield f"and {len(plan.strays) - _MOST_STRAYS_SHOWN} more that others have changed"


def flow_changes(
    now: PresentState, prospect: Prospect, switches: Iterable[SwitchPlan], encoder: Encoder
) -> dict[str, FlowChanges]:
    """Return what switches would be sent, in words, by their names; also for switches that are dropped."""
    old_states = now.accepted.states if now.accepted else {}
    old_words, new_words = Shower(names_of(now.policy)), Shower(names_of(prospect.carried))
    found = {}
    for each in switches:
        old, new = old_states.get(each.switch, SwitchState()), prospect.states[each.switch]
        found[each.switch] = FlowChanges(
            tuple(_Words(each, old, new, encoder.flow).put(new_words)),
            tuple(_Words(each, old, new, encoder.flow).gone(old_words)),
            tuple(_repaired(each, encoder.describe)),
        )
    for name in old_states.keys() - found.keys():
        found[name] = FlowChanges((), tuple(old_words.state(old_states[name])))
    return dict(sorted(found.items()))


class _Words:
    """Finds the flows behind the bytes of a plan. Only those that may be meant are encoded again."""

    def __init__(self, plan: SwitchPlan, old: SwitchState, new: SwitchState, encode: EncodeFlow) -> None:
        self._plan, self._old, self._new, self._encode = plan, old, new, encode

    def put(self, shower: Shower) -> Iterator[str]:
        plan = self._plan.policy
        yield from self._flows(plan.put_flows, self._new, shower)
        for group in (*plan.new_groups, *plan.changed_groups):
            yield shower.group(self._new.groups[group.group_id])
        for meter in (*plan.new_meters, *plan.changed_meters):
            yield shower.meter(self._new.meters[meter.meter_id])
        yield from _decisions(self._plan.decisions.put_flows)

    def gone(self, shower: Shower) -> Iterator[str]:
        """Return also the earlier forms of what is replaced."""
        plan, old = self._plan.policy, self._old
        replaced = self._known(plan.put_flows, old).values()
        yield from sorted(map(shower.flow, replaced))
        yield from self._flows(plan.deleted_flows, old, shower)
        for group in (*plan.changed_groups, *plan.deleted_groups):
            known = old.groups.get(group.group_id)
            yield shower.group(known) if known else f"group {group.group_id} (not of the policy in force)"
        for meter in (*plan.changed_meters, *plan.deleted_meters):
            limit = old.meters.get(meter.meter_id)
            yield shower.meter(limit) if limit else f"meter {meter.meter_id} (not of the policy in force)"
        yield from _decisions(self._plan.decisions.deleted_flows)

    def _flows(self, flows: tuple[WireFlow, ...], state: SwitchState, shower: Shower) -> Iterator[str]:
        known = self._known(flows, state)
        for flow in sorted(flows, key=lambda each: (each.key.table, -each.key.priority)):
            found = known.get(flow)
            yield shower.flow(found) if found else _foreign(flow)

    def _known(self, flows: tuple[WireFlow, ...], state: SwitchState) -> dict[WireFlow, Flow]:
        """Return the flow of the policy at the place of each of these flows."""
        wanted = {(each.key.table, each.key.priority) for each in flows}
        by_key = {
            self._encode(flow).key: flow
            for flow in state.flows.values()
            if (int(flow.table), flow.priority) in wanted
        }
        return {each: by_key[each.key] for each in flows if each.key in by_key}


def _foreign(flow: WireFlow) -> str:
    return f"{_place(flow)} cookie={flow.cookie:#x} (not of the policy in force)"


def _place(flow: WireFlow) -> str:
    try:
        table = Table(flow.key.table).label
    except ValueError:
        table = f"table {flow.key.table}"
    return f"{table} {flow.key.priority}"


def _decisions(flows: tuple[WireFlow, ...]) -> Iterator[str]:
    """Yield the flows of decisions by their numbers: `postern explain` has the rest."""
    for flow in flows[:_MOST_DECISIONS_SHOWN]:
        yield f"{_place(flow)}  # {rule_of(flow.cookie) if is_numbered(flow.cookie) else '?'}"
    if len(flows) > _MOST_DECISIONS_SHOWN:
        yield f"and {len(flows) - _MOST_DECISIONS_SHOWN} more flows of decisions"
