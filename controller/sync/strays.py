"""What a switch holds differently from what it was confirmed to hold: others have changed it. Pure.

The confirmed state itself is large and shared, so it is not copied: strays are kept beside it. Memory is
bounded; of a flood of foreign flows, `MOST_FOREIGN` are kept, and the switch is read again for the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from controller.sync.plan import Plan
from controller.sync.state import WireFlow, WireGroup, WireKey, WireMeter, WireState

MOST_FOREIGN = 50_000
T = TypeVar("T", WireGroup, WireMeter)


@dataclass(frozen=True, slots=True)
class Stray:
    """What is there, and what should be: None if it is missing, or foreign. At least one of them is given."""

    held: WireFlow | WireGroup | WireMeter | None
    wanted: WireFlow | WireGroup | WireMeter | None


@dataclass(slots=True)
class Strays:
    """`flows`: foreign or changed ones; `missing`: keys of flows that are gone.

    `groups` and `meters`: what there is now; None: missing. `version` grows with every change.
    `is_cut`: there are more foreign flows than are kept.
    """

    flows: dict[WireKey, WireFlow] = field(default_factory=dict)
    missing: dict[WireKey, None] = field(default_factory=dict)
    groups: dict[int, WireGroup | None] = field(default_factory=dict)
    meters: dict[int, WireMeter | None] = field(default_factory=dict)
    is_cut: bool = False
    version: int = 0

    @property
    def count(self) -> int:
        return len(self.flows) + len(self.missing) + len(self.groups) + len(self.meters)

    @property
    def lost_meters(self) -> frozenset[int]:
        """Return the meters that were confirmed, and are gone."""
        return frozenset(number for number, held in self.meters.items() if held is None)

    def against(self, wanted: "DesiredParts") -> tuple[Stray, ...]:
        """Return each with what should be there; without those that are gone and are not wanted."""
        found: list[Stray] = [Stray(held, wanted.flows.get(key)) for key, held in sorted(self.flows.items())]
        found += [Stray(None, wanted.flows.get(key)) for key in sorted(self.missing)]
        found += [Stray(held, wanted.groups.get(number)) for number, held in sorted(self.groups.items())]
        found += [Stray(held, wanted.meters.get(number)) for number, held in sorted(self.meters.items())]
        return tuple(each for each in found if each.held or each.wanted)

    def over(
        self, confirmed: WireState, flows: Mapping[WireKey, WireFlow], meters: Mapping[int, WireMeter]
    ) -> WireState:
        """Return all that the switch holds. `flows` and `meters` were confirmed beside the state."""
        held = {**confirmed.flows, **flows, **self.flows}
        for key in self.missing:
            held.pop(key, None)
        groups, all_meters = (
            {**confirmed.groups, **self.groups},
            {**confirmed.meters, **meters, **self.meters},
        )
        return WireState(
            held,
            {number: each for number, each in groups.items() if each is not None},
            confirmed.learned,
            {number: each for number, each in all_meters.items() if each is not None},
        )

    def clear(self) -> None:
        if self.count or self.is_cut:
            self.version += 1
        for part in (self.flows, self.missing, self.groups, self.meters):
            part.clear()
        self.is_cut = False

    def note_flow(self, key: WireKey, expected: WireFlow | None, held: WireFlow | None) -> None:
        """A flow was seen, or None: is gone. `expected`: what was confirmed under this key."""
        known = self.flows.pop(key, None)
        was_missing = key in self.missing
        if held is None and expected is not None:
            self.missing[key] = None
            self.version += not was_missing
            return
        self.missing.pop(key, None)
        is_stray = held is not None and not held.is_like(expected)
        self.version += is_stray or was_missing or known is not None
        if held is None or not is_stray:
            return
        if len(self.flows) < MOST_FOREIGN:
            self.flows[key] = held
        else:
            self.is_cut = True

    def note_groups(self, expected: Mapping[int, WireGroup], held: Mapping[int, WireGroup]) -> None:
        """All groups were seen."""
        self._note(self.groups, _deviations(expected, held))

    def note_meters(self, expected: Mapping[int, WireMeter], held: Mapping[int, WireMeter]) -> None:
        """All meters were seen."""
        self._note(self.meters, _deviations(expected, held))

    def on_committed(self, plan: Plan) -> None:
        """A plan took effect: what it put or deleted is as it was confirmed now."""
        before = self.count
        for flow in (*plan.put_flows, *plan.deleted_flows):
            self.flows.pop(flow.key, None)
            self.missing.pop(flow.key, None)
        for group in (*plan.new_groups, *plan.changed_groups, *plan.deleted_groups):
            self.groups.pop(group.group_id, None)
        for meter in (*plan.new_meters, *plan.changed_meters, *plan.deleted_meters):
            self.meters.pop(meter.meter_id, None)
        self.version += self.count != before

    def _note(self, known: dict[int, T | None], now: dict[int, T | None]) -> None:
        if known != now:
            self.version += 1
            known.clear()
            known.update(now)


@dataclass(frozen=True, slots=True)
class DesiredParts:
    """What a switch must hold, of the things that strays are about; what is not wanted is deleted."""

    flows: Mapping[WireKey, WireFlow]
    groups: Mapping[int, WireGroup]
    meters: Mapping[int, WireMeter]


def repairing(plan: Plan, strays: Strays, wanted: DesiredParts) -> Plan:
    """Return a plan that also puts all strays right; the plan decides about what both concern."""
    put = {key: wanted.flows[key] for key in (*strays.flows, *strays.missing) if key in wanted.flows}
    gone = {key: flow for key, flow in strays.flows.items() if key not in wanted.flows}
    for flow in plan.deleted_flows:
        gone[flow.key] = flow
        put.pop(flow.key, None)
    for flow in plan.put_flows:
        put[flow.key] = flow
        gone.pop(flow.key, None)
    groups, meters = _groups(plan, strays, wanted.groups), _meters(plan, strays, wanted.meters)
    flows = tuple(put[key] for key in sorted(put)), tuple(gone[key] for key in sorted(gone))
    return Plan(*groups[:2], *flows, *groups[2:], *meters)


def fitted(plan: Plan, strays: Strays) -> Plan:
    """Return a plan that adds or changes its groups and meters as the switch really holds them."""
    groups, meters = _groups(plan, strays, None), _meters(plan, strays, None)
    return Plan(*groups[:2], plan.put_flows, plan.deleted_flows, *groups[2:], *meters)


def _groups(plan: Plan, strays: Strays, wanted: Mapping[int, WireGroup] | None) -> "_Parts[WireGroup]":
    new, changed, gone = (
        {each.group_id: each for each in part}
        for part in (plan.new_groups, plan.changed_groups, plan.deleted_groups)
    )
    return _fit((new, changed, gone), strays.groups, wanted)


def _meters(plan: Plan, strays: Strays, wanted: Mapping[int, WireMeter] | None) -> "_Parts[WireMeter]":
    new, changed, gone = (
        {each.meter_id: each for each in part}
        for part in (plan.new_meters, plan.changed_meters, plan.deleted_meters)
    )
    return _fit((new, changed, gone), strays.meters, wanted)


_Parts = tuple[tuple[T, ...], tuple[T, ...], tuple[T, ...]]  # new, changed, deleted


def _fit(
    parts: tuple[dict[int, T], dict[int, T], dict[int, T]],
    strays: Mapping[int, T | None],
    wanted: Mapping[int, T] | None,
) -> _Parts[T]:
    """Return what to add, change and delete. `wanted`: for strays outside the plan; None: leave them."""
    new, changed, gone = parts
    for number, held in strays.items():
        is_planned = number in new or number in changed or number in gone
        if not is_planned and wanted is None:
            continue
        wish = new.get(number) or changed.get(number)
        if not is_planned and wanted is not None:
            wish = wanted.get(number)
        for part in parts:
            part.pop(number, None)
        if wish is not None:
            (new if held is None else changed)[number] = wish
        elif held is not None:
            gone[number] = held
    first, second, third = (tuple(part[number] for number in sorted(part)) for part in parts)
    return first, second, third


def _deviations(expected: Mapping[int, T], held: Mapping[int, T]) -> dict[int, T | None]:
    found: dict[int, T | None] = {
        number: each for number, each in held.items() if expected.get(number) != each
    }
    found.update((number, None) for number in expected if number not in held)
    return found
