"""Flows in words: names instead of numbers, one line each, stable enough to compare and review."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import singledispatchmethod
from ipaddress import IPv4Address, IPv6Address

from controller.pipeline import fields as f
from controller.pipeline.fields import CtState, EthType, IpProto, Role, Treatment, Zone
from controller.pipeline.flows import (
    CONTROLLER_NUMBER,
    IN_PORT_NUMBER,
    Clone,
    CommitConnection,
    Criterion,
    DecTtl,
    Flow,
    Group,
    GroupKind,
    Learn,
    LookUpConnection,
    Meter,
    Move,
    Output,
    PopTag,
    PushTag,
    Resubmit,
    SetField,
    SwitchState,
    ToGroup,
)
from controller.pipeline.zones import leg_of

_ENUMS = {
    f.ROLE: Role,
    f.ZONE: Zone,
    f.TREATMENT: Treatment,
    f.ETH_TYPE: EthType,
    f.IP_PROTO: IpProto,
}
_SHORT = {
    f.ROLE: "role",
    f.PARTY: "party",
    f.ZONE: "zone",
    f.POOL: "pool",
    f.TREATMENT: "treatment",
}


@dataclass(frozen=True, slots=True)
class Names:
    """Names behind numbers: parties and groups by number, neighbours by MAC."""

    parties: Mapping[int, str] = field(default_factory=dict)
    groups: Mapping[int, str] = field(default_factory=dict)
    neighbours: Mapping[int, str] = field(default_factory=dict)


def mac_text(number: int) -> str:
    return number.to_bytes(6).hex(":")


def ipv6_text(number: int) -> str:
    """Return an address as RFC 5952, 5 requires; for IPv4-mapped ones, Python does so only since 3.13."""
    address = IPv6Address(number)
    return f"::ffff:{address.ipv4_mapped}" if address.ipv4_mapped else str(address)


class Shower:
    """Formats flows and groups with the names of one policy."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def flow(self, flow: Flow) -> str:
        steps = [f"at most meter {flow.meter}"] if flow.meter else []
        steps += map(self._action, flow.actions)
        if flow.goto is not None:
            steps.append(f"goto {flow.goto.label}")
        wanted = " ".join(map(self._criterion, flow.match)) or "anything"
        does = ", ".join(steps) or "drop"
        return f"{flow.table.label} {flow.priority} {wanted} -> {does}  # {flow.because}"

    def group(self, group: Group) -> str:
        buckets = "; ".join(
            (f"{bucket.weight} x " if bucket.weight else "")
            + f"({', '.join(map(self._action, bucket.actions))})"
            + (f" while port {bucket.watch_port} is up" if bucket.watch_port else "")
            + (f" while {self._group_name(bucket.watch_group)} is up" if bucket.watch_group else "")
            for bucket in group.buckets
        )
        kind = " (first that is up)" if group.kind is GroupKind.FAST_FAILOVER else ""
        return f"group {self._group_name(group.group_id)}{kind}: {buckets}  # {group.because}"

    def state(self, state: SwitchState) -> list[str]:
        """Return all flows in the order a packet meets them, then the groups."""
        flows = sorted(state.flows.values(), key=lambda x: (x.table, -x.priority, self.flow(x)))
        groups = sorted(map(self.group, state.groups.values()))
        return [*map(self.flow, flows), *groups, *map(self.meter, state.meters.values())]

    def meter(self, meter: Meter) -> str:
        return f"meter {meter.meter_id}: {meter.packets_per_s} packets per second  # {meter.because}"

    def _criterion(self, criterion: Criterion) -> str:
        name = _SHORT.get(criterion.field, criterion.field.name)
        if criterion.field is f.CT_STATE:
            return f"{name}={_ct_state(criterion.value, criterion.mask)}"
        if criterion.field is f.VLAN:
            return _tag(criterion.value)
        text = f"{name}={self._value(criterion.field, criterion.value)}"
        if criterion.mask == criterion.field.full_mask:
            return text
        if criterion.field.shown_as in ("ipv4", "ipv6"):
            return f"{text}/{criterion.mask.bit_count()}"
        return f"{text}/{criterion.mask:#x}"

    def _value(self, name: f.Field, value: int) -> str:
        if name in (f.PARTY, f.POOL):
            return self._names.parties.get(value, f"{value:#x}")
        if name in _ENUMS:
            return _ENUMS[name](value).name.lower()
        if name.shown_as == "mac":
            return self._names.neighbours.get(value, mac_text(value))
        if name.shown_as == "ipv4":
            return str(IPv4Address(value))
        if name.shown_as == "ipv6":
            return ipv6_text(value)
        return f"{value:#x}" if name.shown_as == "hex" else str(value)

    def _group_name(self, group_id: int) -> str:
        return self._names.groups.get(group_id, str(group_id))

    @singledispatchmethod
    def _action(self, action: object) -> str:
        raise AssertionError(f"no words for {action}")

    @_action.register
    def _(self, action: SetField) -> str:
        if action.field is f.VLAN:
            return _tag(action.value)
        name = _SHORT.get(action.field, action.field.name)
        return f"{name}:={self._value(action.field, action.value)}"

    @_action.register
    def _(self, action: Move) -> str:
        def part(name: f.Field, offset: int) -> str:
            whole = action.bits == name.bits
            return name.name if whole else f"{name.name}[{offset}..{offset + action.bits - 1}]"

        return f"{part(action.target, action.target_offset)}:={part(action.source, action.source_offset)}"

    @_action.register
    def _(self, action: LookUpConnection) -> str:
        back = ", translate" if action.translates else ""
        return f"look up in zone {leg_of(action.zone).name.lower()}{back}, then {action.then.label}"

    @_action.register
    def _(self, action: CommitConnection) -> str:
        moves = ", ".join(map(self._action, action.moves))
        source = f", from {action.source}" if action.source else ""
        then = "" if action.then is None else f", then {action.then.label}"
        return f"commit in zone {leg_of(action.zone).name.lower()}{source} ({moves}){then}"

    @_action.register
    def _(self, action: ToGroup) -> str:
        return f"to {self._group_name(action.group_id)}"

    @_action.register
    def _(self, action: Output) -> str:
        special = {IN_PORT_NUMBER: "back out", CONTROLLER_NUMBER: "to the controller"}
        return special.get(action.port, f"port {action.port}")

    @_action.register
    def _(self, _action: DecTtl) -> str:
        return "ttl-1"

    @_action.register
    def _(self, _action: PushTag) -> str:
        return "push"

    @_action.register
    def _(self, _action: PopTag) -> str:
        return "pop"

    @_action.register
    def _(self, action: Resubmit) -> str:
        return f"go on in {action.table.label}"

    @_action.register
    def _(self, action: Clone) -> str:
        return f"a copy: {', '.join(map(self._action, action.actions))}"

    @_action.register
    def _(self, action: Clone) -> str:
        return f"a copy: {', '.join(map(self._action, action.actions))}"

    @_action.register
    def _(self, action: Learn) -> str:
        fixed = " ".join(
            f"{_SHORT.get(name, name.name)}={self._value(name, value)}" for name, value in action.fixed
        )
        return (
            f"learn for {action.idle_s} s ({action.table.label} {fixed} same {action.copied.name}"
            f" -> {self._action(action.sets)})"
        )


def _tag(value: int) -> str:
    return f"tag={value & ~f.VLAN_PRESENT}" if value else "untagged"


def _ct_state(value: int, mask: int) -> str:
    short = {
        CtState.NEW: "new",
        CtState.ESTABLISHED: "est",
        CtState.RELATED: "rel",
        CtState.REPLY: "rpl",
        CtState.INVALID: "inv",
        CtState.TRACKED: "trk",
    }
    return "".join(("+" if value & bit else "-") + name for bit, name in short.items() if mask & bit)
