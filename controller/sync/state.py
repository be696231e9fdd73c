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


@dataclass(frozen=True, slots=True)
class WireLearned:
    """A kind of flow that the switch itself may add: its table, its cookie, and what it does."""

    table: int
    cookie: int
    instructions: bytes


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
        return WireLearned(flow.key.table, flow.cookie, flow.instructions) in self.learned
