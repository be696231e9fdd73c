"""Flows, groups and actions as plain values, in OpenFlow's terms. No bytes and no library.

A `Flow` names the policy rule that it comes from (`because`), from which its cookie
is computed. The identity of a flow in a switch is `key`: table, priority and match.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

from common.wire.values import Address
from controller.ids import cookie_of
from controller.pipeline.fields import Field
from controller.pipeline.tables import Table

IN_PORT_NUMBER = 0xFFFF_FFF8  # OFPP_IN_PORT
CONTROLLER_NUMBER = 0xFFFF_FFFD  # OFPP_CONTROLLER


@dataclass(frozen=True, slots=True)
class Criterion:
    """One field of a match. `mask` equal to the field's full mask means exact."""

    field: Field
    value: int
    mask: int


Match = tuple[Criterion, ...]
# Flows share their criteria, so that equal matches are quick to compare: each edit compiles the policy again.
_criterion = lru_cache(maxsize=1 << 15)(Criterion)


def match(*wanted: tuple[Field, int] | tuple[Field, int, int]) -> Match:
    """Build a match from (field, value) and (field, value, mask); a zero mask is left out."""
    criteria = []
    for name, value, *rest in wanted:
        mask = rest[0] if rest else name.full_mask
        if mask:
            assert value & ~mask == 0, f"{name.name}: value has bits outside its mask"
            criteria.append(_criterion(name, value, mask))
    return tuple(criteria)


@dataclass(frozen=True, slots=True)
class SetField:
    field: Field
    value: int


@dataclass(frozen=True, slots=True)
class Move:
    """Copy `bits` bits from one field to another (ovs-actions(7), move)."""

    source: Field
    target: Field
    bits: int
    source_offset: int = 0
    target_offset: int = 0


@dataclass(frozen=True, slots=True)
class LookUpConnection:
    """`ct(zone=..., table=...)`: look the connection up, and continue in `then` with its state known.

    `translates`: apply the connection's address translation (`nat`).
    """

    zone: int
    then: Table
    translates: bool = False


@dataclass(frozen=True, slots=True)
class CommitConnection:
    """`ct(commit, zone=..., exec(...))`; with a `source`, `nat(src=...)`: the responder sees that address.

    With `then`, the packet continues in that table; without it, nothing may follow (see table `commit`).
    """

    zone: int
    moves: tuple[Move, ...]
    source: Address | None = None
    then: Table | None = None


@dataclass(frozen=True, slots=True)
class ToGroup:
    group_id: int


@dataclass(frozen=True, slots=True)
class Output:
    port: int


@dataclass(frozen=True, slots=True)
class DecTtl:
    pass


@dataclass(frozen=True, slots=True)
class PushTag:
    """Put an empty VLAN tag on the packet (802.1Q)."""


@dataclass(frozen=True, slots=True)
class PopTag:
    pass


@dataclass(frozen=True, slots=True)
class Resubmit:
    """Look the packet up in `table`: in a group's bucket, where goto is not possible, or before a goto."""

    table: Table


@dataclass(frozen=True, slots=True)
class Learn:
    """Make the switch itself add a flow for packets like this one (ovs-actions(7), learn).

    The flow matches `fixed` values and this packet's value of `copied`, and only sets a field.
    It expires when no packet has matched it for a while, or with the last flow that learns under
    its cookie. The number of learned flows per cookie is limited; beyond it, no more are learned.
    """

    table: Table
    priority: int
    fixed: tuple[tuple[Field, int], ...]
    copied: Field
    sets: SetField
    idle_s: int
    limit: int
    cookie: int


@dataclass(frozen=True, slots=True)
class Clone:
    """Apply actions to a copy of the packet; the packet itself does not change."""

    actions: "tuple[FlowAction, ...]"


FlowAction = (
    SetField
    | Move
    | LookUpConnection
    | CommitConnection
    | ToGroup
    | Output
    | DecTtl
    | PushTag
    | PopTag
    | Resubmit
    | Learn
    | Clone
)


@dataclass(frozen=True, slots=True)
class FlowKey:
    table: Table
    priority: int
    match: Match


@dataclass(frozen=True, slots=True)
class Flow:
    table: Table
    priority: int
    match: Match
    actions: tuple[FlowAction, ...]
    goto: Table | None
    because: str  # path of the policy rule, e.g. `tenants.acme.mail`
    meter: int = 0  # packets above its rate are dropped; 0: none

    @property
    def key(self) -> FlowKey:
        return FlowKey(self.table, self.priority, self.match)

    @property
    def cookie(self) -> int:
        return cookie_of(self.because)


@dataclass(frozen=True, slots=True)
class Bucket:
    """The switch skips a bucket while the port that it watches is down, or while no bucket of the group that
    it watches is up; 0: it watches none.

    Only `select` groups have weights; in others they must be 0 (OpenFlow 1.4, 7.3.4.4).
    """

    weight: int
    actions: tuple[FlowAction, ...]
    watch_port: int = 0
    watch_group: int = 0


class GroupKind(IntEnum):
    """How a group chooses among its buckets (OpenFlow 1.4, 5.6.1)."""

    SELECT = 1  # one for each connection, by weight
    FAST_FAILOVER = 3  # the first whose port is up


@dataclass(frozen=True, slots=True)
class Group:
    group_id: int
    buckets: tuple[Bucket, ...]
    because: str
    kind: GroupKind = GroupKind.SELECT


@dataclass(frozen=True, slots=True)
class Meter:
    """Passes up to a number of packets per second, and drops the rest (OpenFlow 1.4, 5.7)."""

    meter_id: int
    packets_per_s: int
    because: str


@dataclass(frozen=True, slots=True)
class SwitchState:
    """All flows, groups and meters of one switch."""

    flows: Mapping[FlowKey, Flow] = field(default_factory=dict)
    groups: Mapping[int, Group] = field(default_factory=dict)
    meters: Mapping[int, Meter] = field(default_factory=dict)
