"""Follows one packet through the flows, with a small table of connections: a second, simpler reading of
them.

It shares nothing with the engine except the neutral flows. Where a switch may choose (a bucket, a flow
that may match, equal priorities), all choices are tried, up to a limit.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from controller.pipeline.fields import VLAN_PRESENT, CtState
from controller.policy.model import PortRef
from controller.proof import dims
from controller.proof import flows as f
from controller.proof.flows import (
    BitsCriterion,
    FieldCriterion,
    HalfLabel,
    HeldFlows,
    NeutralFlow,
    Operation,
    Track,
)
from controller.proof.oxm import BITS
from controller.proof.space import NO_PORT

_MOST_STEPS = 600
_MOST_DEEP = 64
_PORTS = (dims.SPORT, dims.DPORT)
_REGISTERS = (dims.ROLE, dims.PARTY, dims.LEG, dims.POOL, dims.TREATMENT)


class Kind(StrEnum):
    """What conntrack is to say of a packet that belongs to a connection."""

    VALID = "valid"
    INVALID = "invalid"
    ERROR = "error"  # an ICMP error that quotes a packet of the connection


@dataclass(frozen=True, slots=True)
class Packet:
    """`values` by dimension, as in `dims`. `ports`: those of the whole packet; a fragment shows none."""

    values: tuple[int, ...]
    ports: tuple[int, int]
    kind: Kind = Kind.VALID

    def with_value(self, dim: int, value: int) -> "Packet":
        values = (*self.values[:dim], value, *self.values[dim + 1 :])
        ports = self.ports
        if dim in _PORTS and self.values[dim] != NO_PORT:
            ports = (value, ports[1]) if dim == dims.SPORT else (ports[0], value)
        return replace(self, values=values, ports=ports)

    @property
    def is_later_fragment(self) -> bool:
        return self.values[dims.SPORT] == NO_PORT


@dataclass(frozen=True, slots=True)
class ReplayedConnection:
    zone: int
    proto: int
    source: tuple[int, int]  # address and port of the first packet
    target: tuple[int, int]
    responder: int
    initiator: int
    seen_as: int | None = None  # the source's address, as the target sees it


@dataclass(frozen=True, slots=True)
class Step:
    """A flow that the packet met."""

    switch: str
    flow: NeutralFlow


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a packet left the edge, as what, and by which flows."""

    switch: str
    port: int
    packet: Packet
    steps: tuple[Step, ...]


@dataclass(slots=True)
class _Run:
    """One packet on its way: what it is now, and what it has met."""

    switch: str
    packet: Packet
    steps: tuple[Step, ...] = ()


@dataclass(slots=True)
class Replay:
    switches: Mapping[str, HeldFlows]
    trunks: Mapping[tuple[str, int], PortRef]
    connections: tuple[ReplayedConnection, ...] = ()
    committed: dict[ReplayedConnection, None] = field(
        default_factory=dict
    )  # by the last packet; each is an alternative
    _tables: dict[tuple[str, int], list[NeutralFlow]] = field(default_factory=dict)
    _left: int = 0
    _landings: list[Landing] = field(default_factory=list)

    def __post_init__(self) -> None:
        tables: dict[tuple[str, int], list[NeutralFlow]] = defaultdict(list)
        for name, switch in self.switches.items():
            for flow in switch.flows:
                tables[name, flow.table].append(flow)
                for each in flow.operations:
                    if isinstance(each, f.Teach) and not each.sends_back:
                        tables[name, each.table].append(
                            NeutralFlow(
                                each.table, 0x10000, each.criteria, each.operations, flow.cookie, True
                            )
                        )
        self._tables = {key: sorted(flows, key=lambda x: -x.priority) for key, flows in tables.items()}

    def send(self, switch: str, packet: Packet) -> list[Landing]:
        """Send a packet into a switch; return where it leaves the edge."""
        self.committed = {}
        self._left, self._landings = _MOST_STEPS, []
        self._look_up(_Run(switch, packet), 0, 0)
        return self._landings

    def _look_up(self, run: _Run, table: int, depth: int) -> list[_Run]:
        """Let a packet meet a table; return what it may have become."""
        if depth > _MOST_DEEP:
            return []
        after = []
        for flow in self._matching(run, table):
            self._left -= 1
            if self._left < 0:
                return []
            met = _Run(run.switch, run.packet, (*run.steps, Step(run.switch, flow)))
            after += self._carry([met], flow.operations, depth + 1)
        return after or [run]

    def _matching(self, run: _Run, table: int) -> Iterator[NeutralFlow]:
        """Yield the flows that may apply: vague ones that match, then the highest others."""
        best: int | None = None
        for flow in self._tables.get((run.switch, table), ()):
            if best is not None and flow.priority < best:
                return
            if all(_meets(run.packet, each) for each in flow.criteria):
                yield flow
                if not flow.is_vague:
                    best = flow.priority

    def _carry(self, runs: list[_Run], operations: tuple[Operation, ...], depth: int) -> list[_Run]:
        for each in operations:
            runs = [after for run in runs for after in self._step(run, each, depth)]
        return runs

    def _step(  # noqa: C901 (one case for each operation)
        self, run: _Run, operation: Operation, depth: int
    ) -> list[_Run]:
        packet = run.packet
        match operation:
            case f.SetTo(dim, value):
                return [replace(run, packet=packet.with_value(dim, value))]
            case f.Copy(of, to):
                return [replace(run, packet=packet.with_value(to, packet.values[of]))]
            case f.Visit(table) | f.Goto(table):
                return self._look_up(run, table, depth)
            case f.Send(port):
                if port != packet.values[dims.IN_PORT]:
                    self._leave(run, port, depth)
            case f.SendBack():
                self._leave(run, packet.values[dims.IN_PORT], depth)
            case f.SendAll():
                for port in self._ports(run.switch) - {packet.values[dims.IN_PORT]}:
                    self._leave(run, port, depth)
            case f.VisitGroup(number):
                for bucket in self.switches[run.switch].groups.get(number, ()):
                    self._carry([run], bucket, depth)
            case f.Fork(operations):
                self._carry([run], operations, depth)
            case f.Track():
                return [self._track(run, operation, depth)]
            case f.Untrack():
                return [replace(run, packet=_untracked(packet))]
            case f.AddTag():
                tagged = packet.with_value(dims.INNER_VLAN, packet.values[dims.VLAN])
                return [replace(run, packet=tagged.with_value(dims.VLAN, VLAN_PRESENT))]
            case f.RemoveTag():
                popped = packet.with_value(dims.VLAN, packet.values[dims.INNER_VLAN])
                return [replace(run, packet=popped.with_value(dims.INNER_VLAN, 0))]
        return [run]

    def _ports(self, switch: str) -> set[int]:
        named = {port for name, port in self.trunks if name == switch}
        for flow in self.switches[switch].flows:
            named |= {
                c.value for c in flow.criteria if isinstance(c, FieldCriterion) and c.dim == dims.IN_PORT
            }
        return named

    def _leave(self, run: _Run, port: int, depth: int) -> None:
        far = self.trunks.get((run.switch, port))
        if far is None:
            self._landings.append(Landing(run.switch, port, run.packet, run.steps))
            return
        packet = _untracked(run.packet).with_value(dims.IN_PORT, far.port)
        for dim in _REGISTERS:
            packet = packet.with_value(dim, 0)
        self._look_up(_Run(far.switch, packet, run.steps), 0, depth + 1)

    def _track(self, run: _Run, track: Track, depth: int) -> _Run:
        packet = run.packet
        if track.commits:
            packet = self._commit(packet, track)
        elif track.then is not None:
            for found in self._found(packet, track):
                self._look_up(replace(run, packet=found), track.then, depth)
        return replace(run, packet=_untracked(packet))

    def _commit(self, packet: Packet, track: Track) -> Packet:
        """Note a connection, or change the label of the one that the packet belongs to."""
        ends = _half(packet, track.responder), _half(packet, track.initiator)
        for known in self.connections:
            if known.zone == track.zone and _direction(packet, known) is not None:
                self.committed[replace(known, responder=ends[0], initiator=ends[1])] = None
                return packet
        values, source = packet.values, track.translation.source if track.translation else None
        made = ReplayedConnection(
            track.zone, values[dims.PROTO],
            (values[dims.IP_SRC], packet.ports[0]), (values[dims.IP_DST], packet.ports[1]),
            *ends, source[0] if source else None,
        )  # fmt: skip
        self.committed[made] = None
        return packet.with_value(dims.IP_SRC, source[0]) if source else packet

    def _found(self, packet: Packet, track: Track) -> Iterator[Packet]:
        """Yield a packet as a look-up may return it."""
        fresh = _untracked(packet).with_value(dims.CT_ZONE, track.zone)
        is_known = False
        for known in self.connections:
            if known.zone == track.zone:
                for found in _in_connection(fresh, known, track):
                    is_known = True
                    yield found
        if not is_known:
            bit = CtState.INVALID if packet.kind is not Kind.VALID else CtState.NEW
            yield fresh.with_value(dims.CT_STATE, CtState.TRACKED | bit)


def _in_connection(packet: Packet, known: ReplayedConnection, track: Track) -> Iterator[Packet]:
    labelled = packet.with_value(dims.LABEL_R, known.responder).with_value(dims.LABEL_I, known.initiator)
    if packet.kind is Kind.ERROR:
        for way in (0, CtState.REPLY):
            yield labelled.with_value(dims.CT_STATE, CtState.TRACKED | CtState.RELATED | way)
        return
    is_reply = _direction(packet, known)
    if is_reply is None:
        return
    if known.seen_as is not None and track.translation:
        if is_reply:
            labelled = labelled.with_value(dims.IP_DST, known.source[0]).with_value(
                dims.DPORT, known.source[1]
            )
        else:
            labelled = labelled.with_value(dims.IP_SRC, known.seen_as)
    if packet.kind is Kind.INVALID:
        yield labelled.with_value(dims.CT_STATE, CtState.TRACKED | CtState.INVALID)
        return
    for age in (CtState.ESTABLISHED, CtState.NEW):
        yield labelled.with_value(dims.CT_STATE, CtState.TRACKED | age | (CtState.REPLY if is_reply else 0))


def _direction(packet: Packet, known: ReplayedConnection) -> bool | None:
    """Return whether a packet is a reply in a connection; None if it does not belong to it."""
    values = packet.values
    if values[dims.PROTO] != known.proto:
        return None
    ends = (values[dims.IP_SRC], packet.ports[0]), (values[dims.IP_DST], packet.ports[1])
    if ends == (known.source, known.target):
        return False
    back = known.source if known.seen_as is None else (known.seen_as, known.source[1])
    return True if ends == (known.target, back) else None


def _half(packet: Packet, half: HalfLabel) -> int:
    return packet.values[half.of] if half.of is not None else half.value or 0


def _untracked(packet: Packet) -> Packet:
    for dim in (dims.CT_STATE, dims.CT_ZONE, dims.LABEL_R, dims.LABEL_I):
        packet = packet.with_value(dim, 0)
    return packet


def _meets(packet: Packet, criterion: FieldCriterion | BitsCriterion) -> bool:
    value = packet.values[criterion.dim]
    if isinstance(criterion, BitsCriterion):
        return value & criterion.mask == criterion.value & criterion.mask
    if criterion.dim in _PORTS and value == NO_PORT:
        value = 0
    behind = BITS[criterion.dim] - criterion.length
    return value >> behind == criterion.value >> behind
