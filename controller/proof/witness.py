"""Shows a breach by one packet: what it is, which packet opened its session, and which flows it meets.

A packet is picked from the breach, its opener from the connections that the packet may belong to, and
both are replayed. If the packet arrives where the breach says, the violation is confirmed; otherwise it
is possible only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, product

from controller.ids import cookie_of, is_numbered, rule_of
from controller.pipeline.tables import Table
from controller.proof import dims, modes
from controller.proof.arrivals import LATER_FRAGMENT, WHOLE
from controller.proof.atoms import places
from controller.proof.boxes import Narrower
from controller.proof.claims import Breach
from controller.proof.commits import ConnectionSet
from controller.proof.dims import Box
from controller.proof.flows import HeldFlows, NeutralFlow
from controller.proof.model import FlowStep, Violation
from controller.proof.replay import Kind, Landing, Packet, Replay, ReplayedConnection
from controller.proof.space import NO_PORT, PIECES, SMTP, Sender, Space, trunk_ends
from controller.proof.words import describe, flow_text
from controller.topology.ports import mac_number

_MOST_TRIES = 64
_ORDER = (
    dims.MODE, dims.SENDER, dims.RESPONDER, dims.INITIATOR, dims.FRAGMENT, dims.PROTO, dims.DPORT, dims.SPORT,
    dims.IP_SRC, dims.IP_DST, dims.ICMP_TYPE, dims.ICMP_CODE, dims.ETH_TYPE, dims.IN_PORT, dims.VLAN,
)  # fmt: skip
_KEPT = (
    dims.ETH_TYPE, dims.IP_SRC, dims.IP_DST, dims.PROTO, dims.SPORT, dims.DPORT,
    dims.ICMP_TYPE, dims.ICMP_CODE,
)  # fmt: skip
_TUPLE = (dims.IP_SRC, dims.IP_DST, dims.SPORT, dims.DPORT)
_SOME_PORT = 0xFFFF  # of those that the policy does not name


@dataclass(frozen=True, slots=True)
class Ends:
    """Addresses and ports of a packet; a port may be `NO_PORT`."""

    source: int
    target: int
    sport: int
    dport: int

    @property
    def turned(self) -> "Ends":
        return Ends(self.target, self.source, self.dport, self.sport)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A packet to replay, the connections that it may belong to, and the ends of the first packet."""

    packet: Packet
    known: ConnectionSet | None
    opened: Ends | None


def _packet(values: tuple[int, ...], ends: Ends, kind: Kind, is_later: bool) -> Packet:
    """Return a packet with other ends. A later fragment hides its ports; without any, it gets some."""
    changed = list(values)
    ports = (ends.sport, ends.dport) if NO_PORT not in (ends.sport, ends.dport) else (40_000, SMTP)
    changed[dims.IP_SRC], changed[dims.IP_DST] = ends.source, ends.target
    changed[dims.SPORT], changed[dims.DPORT] = (NO_PORT, NO_PORT) if is_later else ports
    changed[dims.FRAGMENT] = LATER_FRAGMENT if is_later else WHOLE
    return Packet(tuple(changed), ports, kind)


class Witnesses:
    """Makes violations of breaches."""

    def __init__(
        self,
        space: Space,
        narrower: Narrower,
        switches: Mapping[str, HeldFlows],
        connections: Mapping[int, Sequence[ConnectionSet]],
    ) -> None:
        self._space, self._narrower, self._switches = space, narrower, switches
        self._connections = [
            part for zone in connections.values() for known in zone for part in known.by_version(space)
        ]
        self._replay = Replay(switches, trunk_ends(space.policy))

    def possible(self, breach: Breach) -> Violation:
        """Return a breach as a violation that was not replayed."""
        box = self._one_packet(breach.box)
        return Violation(breach.claim, self._sender(box).path, self._receiver(breach), self._text(box))

    def confirmed(self, breach: Breach) -> Violation:
        """Return a breach as a violation, confirmed if a replay of its packet arrives."""
        box = self._one_packet(breach.box)
        for attempt in islice(self._attempts(box, self._sender(box)), _MOST_TRIES):
            landing, opener = self._land(breach, box, self._sender(box), attempt)
            if landing is not None:
                steps = tuple(self.step_of(each.switch, each.flow) for each in landing.steps)
                return replace(self.possible(breach), opener=opener, flows=steps, is_confirmed=True)
        return self.possible(breach)

    def _sender(self, box: Box) -> Sender:
        return self._space.senders[box[dims.SENDER].bit_length() - 1]

    def _receiver(self, breach: Breach) -> str:
        place = self._space.sender_by_port.get((breach.switch, breach.port))
        if place is not None:
            return self._space.senders[place].path
        return f"{breach.switch}:{breach.port}" if breach.port >= 0 else f"{breach.switch}:another port"

    def _one_packet(self, box: Box) -> Box:
        """Return a box with one atom in each dimension that counts."""
        for dim in _ORDER:
            for place in places(box[dim]):
                narrowed = self._narrower.intersect(box, [(dim, 1 << place)])
                if narrowed is not None:
                    box = narrowed
                    break
        return box

    def _value(self, box: Box, dim: int) -> int:
        return self._example(dim, box[dim])

    def _text(self, box: Box) -> str:
        mode = modes.NAMES[next(places(box[dims.MODE]))]
        return f"{describe({dim: self._value(box, dim) for dim in _KEPT})}, {mode}"

    def _attempts(self, box: Box, sender: Sender) -> Iterator[_Attempt]:
        """Yield packets that the sender may have sent, each with what may have opened its connection."""
        mode = box[dims.MODE]
        here = Ends(*(self._value(box, dim) for dim in _TUPLE))
        if mode & (modes.UNTRACKED | modes.NEW):
            for kind in (Kind.VALID, Kind.INVALID):
                yield from self._packets(box, sender, here, kind, None, None)
            return
        kind = Kind.ERROR if mode & modes.ERROR else Kind.INVALID if mode & modes.INVALID else Kind.VALID
        for known in self._connections:
            if known.responder & box[dims.RESPONDER] and known.initiator & box[dims.INITIATOR]:
                for entered, opened in self._ways(here, known, kind):
                    if not self._may_open(known, opened):
                        continue
                    yield from self._packets(box, sender, entered, kind, known, opened)

    def _may_open(self, known: ConnectionSet, opened: Ends) -> bool:
        """Return whether some connections may have begun between two ends."""
        ends = zip(_TUPLE, (opened.source, opened.target, opened.sport, opened.dport), strict=True)
        return all(
            value == NO_PORT or self._space.atom(dim, value) & mask
            for (dim, value), mask in zip(ends, known.tuple5[1:], strict=True)
        )

    def _ways(self, here: Ends, known: ConnectionSet, kind: Kind) -> Iterator[tuple[Ends, Ends]]:
        """Yield what the packet's ends may have been when it entered, and those of its opener."""
        example = self._example
        if kind is Kind.ERROR:
            opened = Ends(*map(example, _TUPLE, known.tuple5[1:]))
            yield here, opened
            if known.translated:
                yield replace(here, target=example(dims.IP_DST, known.translated)), opened
            return
        back = here.turned
        if not known.translated:
            yield here, here
            yield here, back
            return
        seen_as = example(dims.IP_SRC, known.translated)
        yield replace(here, target=seen_as), back
        client = example(dims.IP_SRC, known.tuple5.src)
        yield replace(here, source=client), replace(here, source=client)

    def _packets(  # noqa: PLR0913
        self,
        box: Box,
        sender: Sender,
        ends: Ends,
        kind: Kind,
        known: ConnectionSet | None,
        opened: Ends | None,
    ) -> Iterator[_Attempt]:
        for values in self._entries(box, sender):
            yield _Attempt(_packet(values, ends, kind, bool(box[dims.FRAGMENT] & PIECES)), known, opened)

    def _entries(self, box: Box, sender: Sender) -> Iterator[tuple[int, ...]]:
        """Yield what the packet may have been when it entered: its MACs may have been others."""
        values = [0] * dims.MASKS
        for dim in _KEPT:
            values[dim] = self._value(box, dim)
        values[dims.IN_PORT] = sender.port or _SOME_PORT
        own = [sender.neighbour.mac] if sender.neighbour else []
        others = [self._value(box, dim) for dim in (dims.ETH_SRC, dims.RESPONDER, dims.INITIATOR)]
        home = mac_number(
            next(each.mac for each in self._space.policy.switches if each.name == sender.switch)
        )
        targets = [home, *(self._value(box, dim) for dim in (dims.ETH_DST, dims.RESPONDER, dims.INITIATOR))]
        for eth_src, eth_dst in product(dict.fromkeys((*own, *others)), dict.fromkeys(targets)):
            values[dims.ETH_SRC], values[dims.ETH_DST] = eth_src, eth_dst
            yield tuple(values)

    def _land(
        self, breach: Breach, box: Box, sender: Sender, attempt: _Attempt
    ) -> tuple[Landing | None, str]:
        """Replay an opener and the packet. Return where it landed, if that is where the breach says."""
        openers = self._openers(box, attempt) if attempt.known else iter([None])
        for opener in openers:
            self._replay.connections = ()
            if opener is not None:
                self._replay.send(opener[0].switch, opener[1])
                self._replay.connections = self._with_ends(box)
                if not self._replay.connections:
                    continue
            for landing in self._replay.send(sender.switch, attempt.packet):
                if (landing.switch, landing.port) == (breach.switch, breach.port):
                    text = f"{describe(opener[1].values)} from {opener[0].path}" if opener else ""
                    return landing, text
        return None, ""

    def _with_ends(self, box: Box) -> tuple[ReplayedConnection, ...]:
        """Return a connection with the ends that the breach says: the opener may take any bucket."""
        wanted = self._value(box, dims.RESPONDER), self._value(box, dims.INITIATOR)
        made = (each for each in self._replay.committed if (each.responder, each.initiator) == wanted)
        return tuple(islice(made, 1))

    def _openers(self, box: Box, attempt: _Attempt) -> Iterator[tuple[Sender, Packet]]:
        """Yield first packets that may have opened the connection: whole ones, or later fragments."""
        known, ends = attempt.known, attempt.opened
        assert known is not None and ends is not None
        for place in places(known.senders & self._narrower.senders_of(box[dims.INITIATOR])):
            sender = self._space.senders[place]
            values = list(next(self._entries(box, sender)))
            values[dims.PROTO] = self._example(
                dims.PROTO, known.tuple5.proto & box[dims.PROTO] or known.tuple5.proto
            )
            for is_later in (False, True):
                yield sender, _packet(tuple(values), ends, Kind.VALID, is_later)

    def _example(self, dim: int, mask: int) -> int:
        return self._space.domain(dim).example(mask.bit_length() - 1)

    def step_of(self, switch: str, flow: NeutralFlow) -> FlowStep:
        """Return a flow with its line of the policy."""
        rule = rule_of(flow.cookie) if is_numbered(flow.cookie) else self._rules.get(flow.cookie, "")
        table = Table(flow.table).label if flow.table in tuple(Table) else f"table {flow.table}"
        return FlowStep(switch, table, flow.priority, flow.cookie, rule, flow_text(flow))

    @cached_property
    def _rules(self) -> dict[int, str]:
        return {cookie_of(path): path for path in self._space.policy.places}
