"""The difference between desired and installed state, as one ordered plan. Pure.

It is sent as one atomic bundle, so a packet meets the old tables or the new ones and
nothing in between. Inside the bundle, groups come before the flows that use them, and
the deletion of unused groups comes last. Meters cannot be part of a bundle: new ones
are added before it, old ones are deleted after it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from controller.sync.state import WireFlow, WireGroup, WireMeter, WireState

T = TypeVar("T", WireGroup, WireMeter)


@dataclass(frozen=True, slots=True)
class Plan:
    new_groups: tuple[WireGroup, ...] = ()
    changed_groups: tuple[WireGroup, ...] = ()
    put_flows: tuple[WireFlow, ...] = ()  # new, or replacing one with the same key
    deleted_flows: tuple[WireFlow, ...] = ()
    deleted_groups: tuple[WireGroup, ...] = ()
    new_meters: tuple[WireMeter, ...] = ()
    changed_meters: tuple[WireMeter, ...] = ()
    deleted_meters: tuple[WireMeter, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self.size == 0

    @property
    def size(self) -> int:
        groups = len(self.new_groups) + len(self.changed_groups) + len(self.deleted_groups)
        meters = len(self.new_meters) + len(self.changed_meters) + len(self.deleted_meters)
        return groups + meters + len(self.put_flows) + len(self.deleted_flows)

    def __str__(self) -> str:
        text = (
            f"{len(self.put_flows)} flows put, {len(self.deleted_flows)} deleted; groups: "
            f"{len(self.new_groups)} new, {len(self.changed_groups)} changed, "
            f"{len(self.deleted_groups)} deleted"
        )
        if self.new_meters or self.changed_meters or self.deleted_meters:
            text += (
                f"; meters: {len(self.new_meters)} new, {len(self.changed_meters)} changed, "
                f"{len(self.deleted_meters)} deleted"
            )
        return text


def difference(desired: WireState, installed: WireState) -> Plan:
    """Return what to send so that `installed` becomes `desired`; empty if and only if they are equal.

    Flows that the switch has learned by a remaining flow are left alone.
    """
    put = [flow for key, flow in desired.flows.items() if not _same(installed.flows.get(key), flow)]
    gone = [
        flow
        for key, flow in installed.flows.items()
        if key not in desired.flows and not desired.may_have_learned(flow)
    ]
    groups = _compare(desired.groups, installed.groups)
    meters = _compare(desired.meters, installed.meters)
    return Plan(
        groups.new,
        groups.changed,
        tuple(sorted(put, key=lambda flow: flow.key)),
        tuple(sorted(gone, key=lambda flow: flow.key)),
        groups.gone,
        meters.new,
        meters.changed,
        meters.gone,
    )


@dataclass(frozen=True, slots=True)
class _Numbered(Generic[T]):
    new: tuple[T, ...]
    changed: tuple[T, ...]
    gone: tuple[T, ...]


def _compare(desired: Mapping[int, T], installed: Mapping[int, T]) -> _Numbered[T]:
    """Compare groups or meters by their numbers."""
    both = desired.keys() & installed.keys()
    return _Numbered(
        tuple(desired[number] for number in sorted(desired.keys() - both)),
        tuple(desired[number] for number in sorted(both) if desired[number] != installed[number]),
        tuple(installed[number] for number in sorted(installed.keys() - both)),
    )


def _same(installed: WireFlow | None, desired: WireFlow) -> bool:
    return desired.is_like(installed)
