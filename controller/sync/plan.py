"""The difference between desired and installed, as one ordered plan. Pure.

Sent as one atomic bundle, so a packet meets the old tables or the new ones and
nothing in between. Inside the bundle: groups before the flows that use them,
and groups that nobody uses any more at the end.
"""

from dataclasses import dataclass

from controller.sync.state import WireFlow, WireGroup, WireState


@dataclass(frozen=True, slots=True)
class Plan:
    new_groups: tuple[WireGroup, ...] = ()
    changed_groups: tuple[WireGroup, ...] = ()
    put_flows: tuple[WireFlow, ...] = ()  # new, or in place of one with the same key
    deleted_flows: tuple[WireFlow, ...] = ()
    deleted_groups: tuple[WireGroup, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self.size == 0

    @property
    def size(self) -> int:
        groups = len(self.new_groups) + len(self.changed_groups) + len(self.deleted_groups)
        return groups + len(self.put_flows) + len(self.deleted_flows)

    def __str__(self) -> str:
        return (
            f"{len(self.put_flows)} flows put, {len(self.deleted_flows)} deleted; groups: "
            f"{len(self.new_groups)} new, {len(self.changed_groups)} changed, "
            f"{len(self.deleted_groups)} deleted"
        )


def difference(desired: WireState, installed: WireState) -> Plan:
    """Return what to send so that `installed` becomes `desired`; empty exactly when they are equal.

    What the switch has learned by a flow that stays is its own.
    """
    put = [flow for key, flow in desired.flows.items() if not _same(installed.flows.get(key), flow)]
    gone = [
        flow
        for key, flow in installed.flows.items()
        if key not in desired.flows and not desired.may_have_learned(flow)
    ]
    new, changed = [], []
    for group_id, group in desired.groups.items():
        if group_id not in installed.groups:
            new.append(group)
        elif installed.groups[group_id] != group:
            changed.append(group)
    dead = [group for group_id, group in installed.groups.items() if group_id not in desired.groups]
    return Plan(
        tuple(sorted(new, key=_group_number)),
        tuple(sorted(changed, key=_group_number)),
        tuple(sorted(put, key=lambda flow: flow.key)),
        tuple(sorted(gone, key=lambda flow: flow.key)),
        tuple(sorted(dead, key=_group_number)),
    )


def _same(installed: WireFlow | None, desired: WireFlow) -> bool:
    return (
        installed is not None
        and installed.cookie == desired.cookie
        and installed.instructions == desired.instructions
    )


def _group_number(group: WireGroup) -> int:
    return group.group_id
