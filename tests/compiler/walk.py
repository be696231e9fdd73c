"""Where a packet goes, computed from compiled tables: the first packet of a connection, over all switches.

What is computed here must be what real switches do with real packets; tests of the
lab compare the two. Of a `select` group every member is followed, of a failover
group the first.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.pipeline import fields as f
from controller.pipeline.fields import VLAN_PRESENT, CtState, Field
from controller.pipeline.flows import (
    CONTROLLER_NUMBER,
    IN_PORT_NUMBER,
    Clone,
    CommitConnection,
    DecTtl,
    Flow,
    FlowAction,
    GroupKind,
    LookUpConnection,
    Move,
    Output,
    PopTag,
    PushTag,
    Resubmit,
    SetField,
    SwitchState,
    ToGroup,
)
from controller.pipeline.tables import Table
from controller.policy.model import Policy, PortRef
from controller.topology.fabric import trunks_of

Packet = dict[Field, int]
_FIRST_TTL = 64
_NEW = {f.CT_STATE: CtState.TRACKED | CtState.NEW, f.CT_LABEL: 0}
_REGISTERS = {f.ROLE: 0, f.PARTY: 0, f.ZONE: 0, f.TREATMENT: 0}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet leaves the edge at a port. `next_hop` is the MAC it is addressed to."""

    at: PortRef
    next_hop: int


class Walk:
    """Follows packets through the compiled state of all switches."""

    def __init__(self, policy: Policy, states: Mapping[str, SwitchState]) -> None:
        self._states = states
        self._tables = {name: _classifiers(state.flows.values()) for name, state in states.items()}
        self._far_end = {trunk.near: trunk.far for trunk in trunks_of(policy)}

    def arrivals(self, at: PortRef, packet: Mapping[Field, int]) -> frozenset[Arrival]:
        """Return where a packet that enters at a port may leave; nowhere: it is dropped, or answered.

        Raise `LookupError` if it would be shown to the controller: no packet but a probe may be.
        """
        return frozenset(self._enter(at, {f.VLAN: 0, **packet}, _FIRST_TTL))

    def _enter(self, at: PortRef, packet: Packet, ttl: int) -> set[Arrival]:
        fresh = {**packet, **_REGISTERS, f.IN_PORT: at.port}
        return self._look_up(at.switch, Table.ADMISSION, fresh, ttl)

    def _look_up(self, switch: str, table: Table, packet: Packet, ttl: int) -> set[Arrival]:
        flow = self._tables[switch][table].find(packet) if table in self._tables[switch] else None
        return self._carry_out(switch, packet, flow.actions, flow.goto, ttl) if flow else set()

    def _carry_out(
        self, switch: str, packet: Packet, actions: Iterable[FlowAction], goto: Table | None, ttl: int
    ) -> set[Arrival]:
        found: set[Arrival] = set()
        for action in actions:
            ttl -= isinstance(action, DecTtl)
            if ttl <= 0:
                return found
            _change(packet, action)
            found |= self._branch(switch, packet, action, ttl)
        return found if goto is None else found | self._look_up(switch, goto, packet, ttl)

    def _branch(self, switch: str, packet: Packet, action: FlowAction, ttl: int) -> set[Arrival]:
        """Follow an action that sends the packet on its way; the copies that are evidence go nowhere."""
        match action:
            case LookUpConnection(_, then):
                return self._look_up(switch, then, {**packet, **_NEW}, ttl)
            case CommitConnection(then=Table() as then):
                return self._look_up(switch, then, dict(packet), ttl)
            case Clone(actions) if actions != (Resubmit(Table.SAMPLE),):
                return self._carry_out(switch, dict(packet), actions, None, ttl)
            case Resubmit(table):
                return self._look_up(switch, table, dict(packet), ttl)
            case Output(port):
                return self._leave(PortRef(switch, port), packet, ttl)
            case ToGroup(number):
                group = self._states[switch].groups[number]
                buckets = group.buckets[:1] if group.kind is GroupKind.FAST_FAILOVER else group.buckets
                ways = (self._carry_out(switch, dict(packet), each.actions, None, ttl) for each in buckets)
                return set().union(*ways)
        return set()

    def _leave(self, at: PortRef, packet: Packet, ttl: int) -> set[Arrival]:
        if at.port == CONTROLLER_NUMBER:
            raise LookupError(f"{at.switch} shows a packet to the controller")
        if at.port in (IN_PORT_NUMBER, packet[f.IN_PORT]):
            return set()  # an answer of the switch itself, or out where it came in: switches do not
        if at in self._far_end:
            return self._enter(self._far_end[at], packet, ttl)
        return {Arrival(at, packet[f.ETH_DST])}


class _Classifier:
    """The flows of one table, found by the bits they match rather than one by one."""

    def __init__(self, flows: Iterable[Flow]) -> None:
        by_shape: dict[tuple[tuple[Field, int], ...], dict[tuple[int, ...], Flow]] = defaultdict(dict)
        highest: dict[tuple[tuple[Field, int], ...], int] = defaultdict(int)
        for flow in sorted(flows, key=lambda each: each.priority):
            shape = tuple((criterion.field, criterion.mask) for criterion in flow.match)
            by_shape[shape][tuple(criterion.value for criterion in flow.match)] = flow
            highest[shape] = flow.priority
        self._shapes = sorted(by_shape.items(), key=lambda each: -highest[each[0]])
        self._highest = [highest[shape] for shape, _ in self._shapes]
        self._fields = tuple({field for shape in by_shape for field, _ in shape})
        self._found: dict[tuple[int | None, ...], Flow | None] = {}

    def find(self, packet: Mapping[Field, int]) -> Flow | None:
        key = tuple([packet.get(field) for field in self._fields])
        if key not in self._found:
            self._found[key] = self._search(packet)
        return self._found[key]

    def _search(self, packet: Mapping[Field, int]) -> Flow | None:
        best: Flow | None = None
        for (shape, flows), highest in zip(self._shapes, self._highest, strict=True):
            if best is not None and best.priority >= highest:
                break
            try:
                flow = flows.get(tuple([packet[field] & mask for field, mask in shape]))
            except KeyError:  # the packet has no such field
                continue
            if flow and (best is None or flow.priority > best.priority):
                best = flow
        return best


def _classifiers(flows: Iterable[Flow]) -> dict[Table, _Classifier]:
    by_table: dict[Table, list[Flow]] = defaultdict(list)
    for flow in flows:
        by_table[flow.table].append(flow)
    return {table: _Classifier(some) for table, some in by_table.items()}


def _change(packet: Packet, action: FlowAction) -> None:
    """Carry out an action that changes the packet itself."""
    match action:
        case SetField(field, value):
            packet[f.IN_PORT if field is f.CAME_BY else field] = value
        case PushTag():
            packet[f.VLAN] = VLAN_PRESENT
        case PopTag():
            packet[f.VLAN] = 0
        case Move():
            mask = (1 << action.bits) - 1
            value = (packet.get(action.source, 0) >> action.source_offset) & mask
            kept = packet.get(action.target, 0) & ~(mask << action.target_offset)
            packet[action.target] = kept | value << action.target_offset
