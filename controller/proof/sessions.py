"""How packets of known connections go on: every connection that some packet could have committed may
exist.

A look-up finds a connection of its zone in either direction; the label is one that a commit has
written. Commits and look-ups are repeated until no new one appears, so it is an induction: no label
exists that no commit wrote.
"""

from collections.abc import Sequence
from contextlib import suppress

from controller.pipeline.fields import IpProto
from controller.proof import dims, modes
from controller.proof.atoms import places
from controller.proof.budget import Exhausted
from controller.proof.commits import Commits, ConnectionSet
from controller.proof.dims import FLAGS, TIES, Box
from controller.proof.engine import Engine
from controller.proof.found import LookUp
from controller.proof.fragments import HeldFragments
from controller.proof.space import (
    ICMP_ERRORS,
    ICMP_QUERIES,
    ICMPV6_ERRORS,
    ICMPV6_QUERIES,
)

_TUPLE = (dims.IP_SRC, dims.IP_DST, dims.PROTO, dims.SPORT, dims.DPORT)
_TENANTS = -1  # stands for the gateways of any tenants
_ALL_BITS = (1 << dims.MASKS) - 1


class Sessions:
    """Looks connections up for an engine."""

    def __init__(self, engine: Engine, earlier: dict[int, list[ConnectionSet]] | None = None) -> None:
        self._engine, self._space = engine, engine.space
        self._commits = Commits(engine, earlier or {})
        self._fragments = HeldFragments(engine)
        self._icmp = self._space.value(dims.PROTO, IpProto.ICMP) | self._space.value(
            dims.PROTO, IpProto.ICMPV6
        )
        # A fragment shows type 0.
        self._error_types = self._types(0, *ICMP_ERRORS, *ICMPV6_ERRORS)
        self._query_types = self._types(*ICMP_QUERIES, *ICMPV6_QUERIES)
        self._done: set[tuple[object, ...]] = set()
        self._strangers: dict[tuple[object, ...], int] = {}

    def _types(self, *types: int) -> int:
        return sum(self._space.value(dims.ICMP_TYPE, each) for each in set(types))

    def settle(self) -> dict[int, list[ConnectionSet]]:
        """Run the engine until nothing new appears, or its budget is used up. Return all connections."""
        connections: dict[int, list[ConnectionSet]] = {}
        with suppress(Exhausted):
            while True:
                self._engine.drain()
                while self._fragments.release():
                    self._engine.drain()
                connections = self._commits.connections()
                if not self._look_up_all(connections):
                    break
        return connections

    def _look_up_all(self, connections: dict[int, list[ConnectionSet]]) -> bool:
        """Look up what is new among packets and connections. Return whether anything is."""
        before = len(self._done)
        for lookup, boxes in self._engine.found.lookups.items():
            for box in self._engine.joiner.join(boxes):
                for known in connections.get(lookup.zone, ()):
                    pair = (lookup, box, known.key)
                    if pair not in self._done:
                        self._done.add(pair)
                        self._engine.budget.spend()
                        self._meet(lookup, box, known)
        return len(self._done) > before

    def _meet(self, lookup: LookUp, box: Box, known: ConnectionSet) -> None:
        """Let the packets of a look-up go on that belong to some connections."""
        own = self._queries(box)
        if own is not None:
            self._go_on(lookup, own, self._original(lookup, own, known), _IN_DIRECTION)
            self._go_on(lookup, own, self._reply(lookup, own, known), _BACK)
        if box[dims.PROTO] & self._icmp:
            version = self._version_of(known.tuple5.dst)
            conditions = [
                (dims.PROTO, self._icmp),
                (dims.IP_DST, version),
                (dims.ICMP_TYPE, self._error_types),
            ]
            error = self._with_ends(box, known, conditions)
            if error is not None and lookup.translation is not None:
                self._engine.narrower.narrow(error, _ALL_BITS)  # its version, before its addresses are lost
                error = list(self._engine.anywhere(tuple(error)))
            self._go_on(lookup, box, error, _ERRORS)

    def _version_of(self, addresses: int) -> int:
        """Return all addresses of the versions that some addresses have."""
        versions = (self._space.version(4), self._space.version(6))
        return sum(each for each in versions if each & addresses)

    def _queries(self, box: Box) -> Box | None:
        """Of ICMP, only queries and their answers belong to a connection of their own addresses."""
        if not box[dims.PROTO] & self._icmp:
            return box
        if box[dims.PROTO] & ~self._icmp:
            return box
        types = box[dims.ICMP_TYPE] & self._query_types
        return (*box[: dims.ICMP_TYPE], types, *box[dims.ICMP_TYPE + 1 :]) if types else None

    def _with_ends(
        self, box: Box, known: ConnectionSet, conditions: Sequence[tuple[int, int]]
    ) -> list[int] | None:
        """Return a box limited by conditions, with the label of some connections."""
        for dim, mask in conditions:
            if not box[dim] & mask:
                return None
        met = list(box)
        for dim, mask in conditions:
            met[dim] &= mask
        met[dims.LABEL_R] = met[dims.RESPONDER] = known.responder
        met[dims.LABEL_I] = met[dims.INITIATOR] = known.initiator
        met[dims.CT_PROTO], met[dims.CT_DPORT] = known.tuple5.proto, known.tuple5.dport
        return met

    def _original(self, lookup: LookUp, box: Box, known: ConnectionSet) -> list[int] | None:
        proto, src, dst, sport, dport = known.tuple5
        sport, dport = sport | self._space.no_port, dport | self._space.no_port
        conditions = (
            (dims.PROTO, proto | self._space.hidden_proto), (dims.IP_SRC, src), (dims.IP_DST, dst),
            (dims.SPORT, sport), (dims.DPORT, dport)
        )  # fmt: skip
        met = self._with_ends(box, known, conditions)
        if met is None:
            return None
        self._tie(met, known, dims.IP_SRC, dims.IP_DST)
        if lookup.translation is not None and known.translated:
            translated = self._engine.written(tuple(met), dims.IP_SRC, known.translated)
            met = list(self._engine.written(translated, dims.SPORT, self._space.everything[dims.SPORT]))
        return self._unless_unknown(lookup, met)

    def _reply(self, lookup: LookUp, box: Box, known: ConnectionSet) -> list[int] | None:
        proto, src, dst, sport, dport = known.tuple5
        back = known.translated or src
        sport, dport = sport | self._space.no_port, dport | self._space.no_port
        port_back = self._space.everything[dims.SPORT] if known.translated else sport
        conditions = (
            (dims.PROTO, proto | self._space.hidden_proto), (dims.IP_SRC, dst), (dims.IP_DST, back),
            (dims.SPORT, dport), (dims.DPORT, port_back)
        )  # fmt: skip
        met = self._with_ends(box, known, conditions)
        if met is None:
            return None
        if not known.translated:
            self._tie(met, known, dims.IP_DST, dims.IP_SRC)
        elif lookup.translation is not None:
            met = list(self._engine.written(tuple(met), dims.IP_DST, src))
            met = list(self._engine.written(tuple(met), dims.DPORT, sport))
            self._tie(met, known, dims.IP_DST, dims.IP_SRC)
        return self._unless_unknown(lookup, met)

    def _unless_unknown(self, lookup: LookUp, met: list[int]) -> list[int]:
        is_unknown = lookup.translation is not None and not lookup.translation.is_known
        return list(self._engine.anywhere(tuple(met))) if is_unknown else met

    def _tie(self, met: list[int], known: ConnectionSet, source: int, target: int) -> None:
        """Add which addresses go with the ends. `source`: the dimension of the initiator's."""
        ties = self._engine.ties
        more = []
        for tie, key, dim in (
            (known.sources, dims.INITIATOR, source), (known.targets, dims.RESPONDER, target)
        ):  # fmt: skip
            if tie is not None:
                more.append(ties.turned(tie, key, dim))
        met[TIES] = ties.number((*ties.of(met[TIES]), *more))

    def _go_on(
        self, lookup: LookUp, box: Box, met: list[int] | None, kind: tuple[tuple[int, int, int], int]
    ) -> None:
        """Let packets go on that belong to connections: those of either end, and those of strangers."""
        if met is None:
            return
        kinds, end = kind
        narrower, table = self._engine.narrower, self._engine.tables.of(lookup.switch, lookup.then)
        senders = (
            narrower.senders_of(met[dims.INITIATOR]),
            narrower.senders_of(met[dims.RESPONDER]),
            self._strangers_of(box, met, end),
        )
        for who, mode in zip(senders, kinds, strict=True):
            each = met.copy()
            each[dims.SENDER] &= who
            if not each[dims.SENDER]:
                continue
            each[dims.MODE] = mode
            each[dims.CT_STATE] = modes.states_of(mode)
            each[dims.CT_ZONE] = self._space.value(dims.CT_ZONE, lookup.zone)
            each[FLAGS] |= dims.LABEL_IS_ENDS | dims.STATE_IS_OF_MODE
            if table.may_match(each) and narrower.narrow(each, _ALL_BITS):
                self._engine.add(lookup.switch, lookup.then, tuple(each))

    def _strangers_of(self, box: Box, met: list[int], end: int) -> int:
        """Return the senders that may send such a packet although neither they nor their kin are that end.

        A sender does not count as a stranger if its addresses leave only itself, or its kin, as that end.
        """
        key = (box[TIES], box[dims.SENDER], met[dims.IP_SRC], met[end], met[TIES], end)
        found = self._strangers.get(key)
        if found is None:
            found = 0
            ties = self._engine.ties.of(met[TIES])
            own = next((t for t in ties if t.key == dims.SENDER and dims.IP_SRC in t.dims_), None)
            to_end = next((t for t in ties if t.key == end and t.dims_ == (dims.IP_SRC,)), None)
            for place in places(met[dims.SENDER]):
                src = met[dims.IP_SRC]
                if own is not None:
                    src &= own.union(1 << place)[own.dims_.index(dims.IP_SRC)]
                ends = met[end] if to_end is None else met[end] & to_end.keys_of(0, src)
                if ends & ~self._space.kin[place][1]:
                    found |= 1 << place
            self._strangers[key] = found
        return found


# Modes of packets by the initiator, by the responder and by others, and the end that a valid sender is.
_IN_DIRECTION = (
    (
        modes.ORIGINAL | modes.INVALID_BY_INITIATOR,
        modes.ORIGINAL_BY_RESPONDER | modes.INVALID_BY_RESPONDER,
        modes.ORIGINAL_BY_STRANGER | modes.INVALID_BY_STRANGER,
    ),
    dims.INITIATOR,
)
_BACK = (
    (
        modes.REPLY_BY_INITIATOR | modes.INVALID_BY_INITIATOR,
        modes.REPLY | modes.INVALID_BY_RESPONDER,
        modes.REPLY_BY_STRANGER | modes.INVALID_BY_STRANGER,
    ),
    dims.RESPONDER,
)
_ERRORS = (modes.ERROR_BY_INITIATOR, modes.ERROR_BY_RESPONDER, modes.ERROR_BY_STRANGER), dims.INITIATOR
