"""Flows that are added and removed one by one, besides those of the policy: flows of decisions. Pure.

The cost of a change does not depend on their number: only the keys that have changed
are compared and sent.
"""

from collections.abc import Iterable
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

    def next_plan(self) -> Plan:
        """Return what to send next, which then counts as sent; empty: nothing."""
        put: list[WireFlow] = []
        gone: list[WireFlow] = []
        while self._changed and len(put) + len(gone) < MOST_PER_PLAN:
            key = next(iter(self._changed))
            del self._changed[key]
            wanted, held = self.flows.get(key), self.installed.get(key)
            if wanted and not _same(held, wanted):
                put.append(wanted)
            elif held and not wanted:
                gone.append(held)
        numbers, self._changed_meters = self._changed_meters, {}
        new = [self.meters[n] for n in numbers if n in self.meters and n not in self.installed_meters]
        changed = [
            self.meters[n]
            for n in numbers
            if n in self.meters and self.installed_meters.get(n, self.meters[n]) != self.meters[n]
        ]
        dead = [
            self.installed_meters[n] for n in numbers if n in self.installed_meters and n not in self.meters
        ]
        return Plan(
            put_flows=tuple(put),
            deleted_flows=tuple(gone),
            new_meters=tuple(new),
            changed_meters=tuple(changed),
            deleted_meters=tuple(dead),
        )

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
    return one.cookie == other.cookie and one.instructions == other.instructions
