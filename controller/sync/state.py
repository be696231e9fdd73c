"""The tables of a switch as comparable bytes: the desired state, or what the switch reports.

The state is in bytes because a switch reports bytes; equal bytes mean equal flows.
`openflow.encode` has the encoding.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class WireKey:
    """Identity of a flow: table, priority and canonical match bytes."""

    table: int
    priority: int
    fields: bytes


@dataclass(frozen=True, slots=True)
class WireFlow:
    key: WireKey
    cookie: int
    instructions: bytes
    wire_fields: bytes  # the match, in an order in which it may be sent
    expires: int = 0  # idle and hard time-out in seconds, `idle << 16 | hard`; 0: it stays

    def is_like(self, other: "WireFlow | None") -> bool:
        """Return whether a flow with the same key does the same, for the same rule, and for as long."""
        return self is other or (
            other is not None
            and self.cookie == other.cookie
            and self.instructions == other.instructions
            and self.expires == other.expires
        )


@dataclass(frozen=True, slots=True)
class WireLearned:
    """A kind of flow that the switch itself may add: all of it, except for the one value that it copies.

    `before`: the match up to that value, `after`: the rest, in canonical order. `expires`: as in `WireFlow`.
    """

    table: int
    cookie: int
    instructions: bytes
    priority: int = 0
    expires: int = 0
    before: bytes = b""
    value_bytes: int = 0
    after: bytes = b""

    def is_of(self, flow: WireFlow) -> bool:
        """Return whether a flow is of this kind."""
        key = flow.key
        if (self.table, self.cookie, self.priority) != (key.table, flow.cookie, key.priority):
            return False
        size = len(self.before) + self.value_bytes + len(self.after)
        is_match = len(key.fields) == size and key.fields.startswith(self.before)
        is_same = self.instructions == flow.instructions and self.expires == flow.expires
        return is_match and key.fields.endswith(self.after) and is_same


@dataclass(frozen=True, slots=True)
class WireGroup:
    group_id: int
    kind: int
    buckets: bytes


@dataclass(frozen=True, slots=True)
class WireMeter:
    """`body`: flags and bands, in the form in which a switch reports them."""

    meter_id: int
    body: bytes


@dataclass(frozen=True, slots=True)
class WireState:
    flows: Mapping[WireKey, WireFlow] = field(default_factory=dict)
    groups: Mapping[int, WireGroup] = field(default_factory=dict)
    learned: frozenset[WireLearned] = frozenset()
    meters: Mapping[int, WireMeter] = field(default_factory=dict)

    def may_have_learned(self, flow: WireFlow) -> bool:
        """Return whether the switch may have added a flow itself, because of one of our flows."""
        return any(kind.is_of(flow) for kind in self.learned)
