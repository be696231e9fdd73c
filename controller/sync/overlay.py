"""Flows that are added and removed one by one, besides those of the policy: flows of decisions. Pure.

The cost of a change does not depend on their number: only the keys that have changed
are compared and sent.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from controller.sync.plan import Plan
from controller.sync.state import WireFlow, WireKey, WireMeter

MOST_PER_PLAN = 5_000


@dataclass(slots=True)
class Patch:
    """What is added to and removed from one switch. What is removed and added again is replaced."""

    flows: list[WireFlow] = field(default_factory=list)
    meters: list[WireMeter] = field(default_factory=list)
    gone: list[WireKey] = field(default_factory=list)
    gone_meters: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Overlay:
    flows: dict[WireKey, WireFlow] = field(default_factory=dict)
    meters: dict[int, WireMeter] = field(default_factory=dict)
    installed: dict[WireKey, WireFlow] = field(default_factory=dict)
    installed_meters: dict[int, WireMeter] = field(default_factory=dict)
    _changed: dict[WireKey, None] = field(default_factory=dict)
    _changed_meters: dict[int, None] = field(default_factory=dict)

    def copy(self) -> "Overlay":
        """Return another overlay with the same flows and meters, which changes by itself."""
        return Overlay(
            dict(self.flows),
            dict(self.meters),
            dict(self.installed),
            dict(self.installed_meters),
            dict(self._changed),
            dict(self._changed_meters),
        )

    def put(self, flows: Iterable[WireFlow], meters: Iterable[WireMeter] = ()) -> None:
        for flow in flows:
            self.flows[flow.key] = flow
            self._changed[flow.key] = None
        for meter in meters:
            self.meters[meter.meter_id] = meter
            self._changed_meters[meter.meter_id] = None

    def remove(self, keys: Iterable[WireKey], meters: Iterable[int] = ()) -> None:
        for key in keys:
            if self.flows.pop(key, None):
                self._changed[key] = None
        for number in meters:
            if self.meters.pop(number, None):
                self._changed_meters[number] = None

    def on_read(self, flows: dict[WireKey, WireFlow], meters: dict[int, WireMeter]) -> None:
        """The switch was read: only the differences remain to be sent."""
        self.installed, self.installed_meters = flows, meters
        keys = self.flows.keys() | flows.keys()
        self._changed = dict.fromkeys(key for key in keys if not _same(flows.get(key), self.flows.get(key)))
        numbers = self.meters.keys() | meters.keys()
        self._changed_meters = dict.fromkeys(n for n in numbers if meters.get(n) != self.meters.get(n))

    def compare_all(self) -> None:
        """Forget which keys have changed, and find out from what was confirmed."""
        self.on_read(self.installed, self.installed_meters)

    def own_part(self, plan: Plan) -> Plan:
        """Return the part of a plan that is about the overlay."""
        meters = self.meters
        return Plan(
            put_flows=tuple(flow for flow in plan.put_flows if self.flows.get(flow.key) is flow),
            deleted_flows=tuple(flow for flow in plan.deleted_flows if flow.key in self.installed),
            new_meters=tuple(each for each in plan.new_meters if meters.get(each.meter_id) is each),
            changed_meters=tuple(each for each in plan.changed_meters if meters.get(each.meter_id) is each),
            deleted_meters=tuple(m for m in plan.deleted_meters if m.meter_id in self.installed_meters),
        )

    def next_plan(self, lost_meters: Collection[int] = ()) -> Plan:
        """Return what to send next, which then counts as sent; empty: nothing.

        `lost_meters`: others have deleted them, so those that are no longer wanted are gone already.
        """
        put: list[WireFlow] = []
        gone: list[WireFlow] = []
        done: list[WireKey] = []
        for key in self._changed:  # never the first key again and again: a dict walks over what was deleted
            if len(put) + len(gone) >= MOST_PER_PLAN:
                break
            done.append(key)
            wanted, held = self.flows.get(key), self.installed.get(key)
            if wanted and not _same(held, wanted):
                put.append(wanted)
            elif held and not wanted:
                gone.append(held)
        for key in done:
            del self._changed[key]
        numbers, self._changed_meters = self._changed_meters, {}
        new = [self.meters[n] for n in numbers if n in self.meters and n not in self.installed_meters]
        changed = [
            self.meters[n]
            for n in numbers
            if n in self.meters and self.installed_meters.get(n, self.meters[n]) != self.meters[n]
        ]
        unwanted = [n for n in numbers if n in self.installed_meters and n not in self.meters]
        dead = [self.installed_meters[n] for n in unwanted if n not in lost_meters]
        for number in unwanted:
            if number in lost_meters:
                del self.installed_meters[number]
        return Plan(
            put_flows=tuple(put),
            deleted_flows=tuple(gone),
            new_meters=tuple(new),
            changed_meters=tuple(changed),
            deleted_meters=tuple(dead),
        )

    def confirmed(self, key: WireKey) -> WireFlow | None:
        """Return a flow that was confirmed as it is wanted. Others may use a meter that is not there yet."""
        wanted = self.flows.get(key)
        return wanted if _same(self.installed.get(key), wanted) else None

    def on_confirmed(self, plan: Plan) -> None:
        for flow in plan.deleted_flows:
            self.installed.pop(flow.key, None)
        for flow in plan.put_flows:
            self.installed[flow.key] = flow
        for meter in plan.deleted_meters:
            self.installed_meters.pop(meter.meter_id, None)
        for meter in (*plan.new_meters, *plan.changed_meters):
            self.installed_meters[meter.meter_id] = meter

    @property
    def is_settled(self) -> bool:
        return not self._changed and not self._changed_meters


def _same(one: WireFlow | None, other: WireFlow | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.is_like(other)
