"""The connections that commits may have made, few and large.

Commits with the same ends are joined; towards a tenant, for each port apart, so that a published
service is not taken for another.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import NamedTuple

from controller.pipeline.fields import IpProto, Role
from controller.proof import dims, modes
from controller.proof.atoms import places
from controller.proof.dims import TIES, Box
from controller.proof.engine import Engine
from controller.proof.flows import Track
from controller.proof.space import FIRST, PIECES, WHOLE, Space
from controller.proof.ties import Tie

_TUPLE = (dims.IP_SRC, dims.IP_DST, dims.PROTO, dims.SPORT, dims.DPORT)
# What the connections of other fragments take from the first one.
_OF_FIRST = itemgetter(dims.IP_SRC, dims.IP_DST, dims.CT_PROTO, dims.CT_DPORT, dims.TREATMENT)
_TENANTS = -1  # stands for the gateways of any tenants


class Tuple5(NamedTuple):
    """Masks of the ends of a connection, as its first packet has them."""

    proto: int
    src: int
    dst: int
    sport: int
    dport: int


@dataclass(frozen=True, slots=True)
class ConnectionSet:
    """Connections that commits may have made. `translated`: the source as the responder sees it; 0: as it is.

    `sources` and `targets` tie the ends to their addresses: with what a MAC in the label began or answers.
    """

    tuple5: Tuple5
    responder: int
    initiator: int
    translated: int
    senders: int
    sources: Tie | None
    targets: Tie | None

    @property
    def key(self) -> tuple[object, ...]:
        return self.tuple5, self.responder, self.initiator, self.translated, self.sources, self.targets

    @property
    def but_addresses(self) -> tuple[object, ...]:
        """What remains equal if only addresses differ."""
        of = self.tuple5
        ends = self.responder, self.initiator
        return *ends, of.proto, of.sport, of.dport, bool(self.translated), self.sources is None

    def by_version(self, space: Space) -> Iterator["ConnectionSet"]:
        """Yield the connections of IPv4 and those of IPv6, so that an example is of one version."""
        of, translated = self.tuple5, self.translated
        for mask in (space.version(4), space.version(6)):
            if of.src & mask and of.dst & mask and (translated & mask or not translated):
                part = of._replace(src=of.src & mask, dst=of.dst & mask)
                yield replace(self, tuple5=part, translated=translated & mask)

    def version(self, space: Space) -> int:
        """Return 4 or 6 if all addresses are of that version, 0 otherwise."""
        addresses = self.tuple5.src | self.tuple5.dst | self.translated
        return next((each for each in (4, 6) if not addresses & ~space.version(each)), 0)


class Commits:
    """Gathers the connections of all commits of an engine."""

    def __init__(self, engine: Engine, earlier: Mapping[int, Sequence[ConnectionSet]]) -> None:
        self._engine, self._space, self._earlier = engine, engine.space, earlier
        self._tenants = 0
        for place, sender in enumerate(self._space.senders):
            if sender.neighbour and sender.neighbour.role is Role.TENANT:
                self._tenants |= self._space.mac_of_sender[place]
        self._tcp = self._space.value(dims.PROTO, IpProto.TCP)
        self._rows: dict[tuple[int, ...], dict[int, int]] = {}
        self._parts_of: dict[tuple[int, Box], tuple[int, list[Box]]] = {}

    def connections(self) -> dict[int, list[ConnectionSet]]:
        """Return the connections of all commits so far, by zone, few and large."""
        found = {}
        for zone in {*self._engine.found.commits, *self._earlier}:
            groups: dict[tuple[object, ...], list[tuple[Box, Track]]] = defaultdict(list)
            commits = self._engine.found.commits.get(zone, {})
            first = self._first_fragments(box for box, _ in commits)
            for box, track in commits:
                for part in self._parts(zone, box, first):
                    groups[self._group(part, track)].append((part, track))
            made = self._both_versions(
                (self._of_group(group), self._is_fresh(*group[0])) for group in groups.values()
            )
            known = [*self._earlier.get(zone, ()), *(each for each, _ in made)]
            changed = [other for each, is_fresh in made if not is_fresh for other in _changed_by(each, known)]
            found[zone] = list({each.key: each for each in (*known, *changed)}.values())
        return found

    def _both_versions(self, made: Iterable[tuple[ConnectionSet, bool]]) -> list[tuple[ConnectionSet, bool]]:
        """Join connections of IPv4 and IPv6 that differ in their addresses only.

        Nothing is lost: both ends of a packet are of one version.
        """
        alike: dict[tuple[bool, tuple[object, ...]], list[ConnectionSet]] = defaultdict(list)
        for each, is_fresh in made:
            alike[is_fresh, each.but_addresses].append(each)
        found = []
        for (is_fresh, _), group in alike.items():
            is_pair = sorted(each.version(self._space) for each in group) == [4, 6]
            found += [(each, is_fresh) for each in ([self._joined(*group)] if is_pair else group)]
        return found

    def _joined(self, one: ConnectionSet, other: ConnectionSet) -> ConnectionSet:
        """Return the connections of both, which differ in their addresses only."""
        united = self._engine.ties.united
        return replace(
            one,
            tuple5=Tuple5(*(a | b for a, b in zip(one.tuple5, other.tuple5, strict=True))),
            translated=one.translated | other.translated,
            senders=one.senders | other.senders,
            sources=united(one.sources, other.sources) if one.sources and other.sources else None,
            targets=united(one.targets, other.targets) if one.targets and other.targets else None,
        )

    def _first_fragments(self, boxes: Iterable[Box]) -> list[Box]:
        """Return the first fragments among boxes, one of each kind that matters to later ones."""
        found: dict[tuple[int, ...], Box] = {}
        for box in boxes:
            key = _OF_FIRST(box)
            if box[dims.FRAGMENT] & FIRST and key not in found:
                each = self._engine.narrower.intersect(box, [(dims.FRAGMENT, FIRST)])
                if each is not None:
                    found.setdefault(_OF_FIRST(each), each)
        return list(found.values())

    def _parts(self, zone: int, box: Box, first: list[Box]) -> list[Box]:
        """Return the parts of a commit; those of the last round, if there are no other first fragments."""
        count, parts = self._parts_of.get((zone, box), (-1, []))
        if count != len(first):
            parts = list(self._by_protocol(box, first))
            self._parts_of[zone, box] = len(first), parts
        return parts

    def _by_protocol(self, box: Box, first: list[Box]) -> Iterator[Box]:
        """Split a commit into TCP and the rest. Fragments have the ports of a first one that is committed."""
        any_port = self._space.everything[dims.SPORT] & ~self._space.no_port
        variants = []
        for whole in (self._engine.narrower.intersect(box, [(dims.FRAGMENT, WHOLE)]),):
            if whole is not None:
                variants.append(list(whole))
        pieces = self._engine.narrower.intersect(box, [(dims.FRAGMENT, PIECES)])
        for each in first if pieces is not None else ():
            assert pieces is not None
            self._engine.budget.spend()
            variant = list(pieces)
            for dim in (dims.IP_SRC, dims.IP_DST):
                variant[dim] &= each[dim]
            variant[dims.PROTO] = (
                self._any_hidden(pieces[dims.PROTO]) & pieces[dims.CT_PROTO] & each[dims.CT_PROTO]
            )
            variant[dims.SPORT], variant[dims.DPORT] = any_port, each[dims.CT_DPORT] & any_port
            # The fragments of one packet get one treatment (`compiler.decisions`).
            if all(variant[dim] for dim in _TUPLE) and each[dims.TREATMENT] & pieces[dims.TREATMENT]:
                variants.append(variant)
        for variant in variants:
            for proto in (self._tcp, ~self._tcp):
                if variant[dims.PROTO] & proto:
                    part = variant.copy()
                    part[dims.PROTO] &= proto
                    part[dims.SPORT] = variant[dims.SPORT] if proto == self._tcp else any_port
                    yield tuple(part)

    def _any_hidden(self, proto: int) -> int:
        """A fragment of IPv6 may hide its protocol."""
        return self._space.everything[dims.PROTO] if proto & self._space.hidden_proto else proto

    def _group(self, box: Box, track: Track) -> tuple[object, ...]:
        """Return what commits must have in common to become one.

        Who the ends are; and towards a tenant, each port, so that no service is taken for another.
        """
        ends = []
        for half in (track.responder, track.initiator):
            mask = self._engine.half_label(box, half)
            ends.append(_TENANTS if not mask & ~self._tenants else mask)
        version = (
            bool(box[dims.IP_DST] & self._space.version(4)),
            bool(box[dims.IP_DST] & self._space.version(6)),
        )
        is_fresh = self._is_fresh(box, track)
        if ends[0] == _TENANTS:
            return (
                *ends,
                version,
                box[dims.PROTO],
                box[dims.SPORT],
                box[dims.DPORT],
                track.translation,
                is_fresh,
            )
        return (*ends, version, box[dims.PROTO] == self._tcp, box[dims.SPORT], track.translation, is_fresh)

    def _is_fresh(self, box: Box, track: Track) -> bool:
        """Return whether a commit makes a connection, and does not change one of the other direction."""
        is_new = box[dims.MODE] == modes.NEW
        return is_new and box[dims.CT_ZONE] == self._space.value(dims.CT_ZONE, track.zone)

    def _of_group(self, group: list[tuple[Box, Track]]) -> ConnectionSet:
        box, track = group[0]
        proto = src = dst = dport = 0
        sport = box[dims.SPORT]
        responder = initiator = senders = 0
        targets: dict[int, int] = {}
        origins: dict[tuple[int, ...], None] = {}
        for box, track in group:
            ends = (
                self._engine.half_label(box, track.responder),
                self._engine.half_label(box, track.initiator),
            )
            proto, dport = proto | box[dims.PROTO], dport | box[dims.DPORT]
            src, dst, senders = src | box[dims.IP_SRC], dst | box[dims.IP_DST], senders | box[dims.SENDER]
            responder, initiator = responder | ends[0], initiator | ends[1]
            for atom in places(ends[0]):
                targets[atom] = targets.get(atom, 0) | box[dims.IP_DST]
            origins[box[TIES], box[dims.SENDER], box[dims.IP_SRC], box[dims.ETH_SRC], ends[1]] = None
        sources: dict[int, int] = {}
        for origin in origins:
            for atom, mask in self._sources(*origin).items():
                sources[atom] = sources.get(atom, 0) | mask
        tuple5 = Tuple5(proto, src, dst, sport, dport)
        translated = self._translated(track)
        if translated < 0:
            anywhere = self._space.everything[dims.IP_SRC]
            ports = self._space.everything[dims.SPORT]
            tuple5 = Tuple5(proto, anywhere, anywhere, ports, ports)
            return ConnectionSet(tuple5, responder, initiator, 0, senders, None, None)
        ties = self._engine.ties
        return ConnectionSet(
            tuple5, responder, initiator, translated, senders,
            ties.tie(dims.INITIATOR, (dims.IP_SRC,), {atom: (mask,) for atom, mask in sources.items()}),
            ties.tie(dims.RESPONDER, (dims.IP_DST,), {atom: (mask,) for atom, mask in targets.items()}),
        )  # fmt: skip

    def _translated(self, track: Track) -> int:
        """Return the mask of the address that a commit translates to; 0: none; -1: not known."""
        if track.translation is None:
            return 0
        if not track.translation.is_known:
            return -1
        source = track.translation.source
        return self._space.domains[dims.IP_SRC].masks[source] if source else 0

    def _sources(self, ties: int, senders: int, src: int, eth_src: int, initiator: int) -> dict[int, int]:
        """Return which addresses go with each initiator, as far as the ties of the box know."""
        key = (ties, senders, src, eth_src, initiator)
        rows = self._rows.get(key)
        if rows is not None:
            return rows
        rows = self._rows[key] = {}
        tie = next(
            (t for t in self._engine.ties.of(ties) if t.key == dims.SENDER and dims.ETH_SRC in t.dims_), None
        )
        if tie is None or initiator & ~eth_src:
            rows.update(dict.fromkeys(places(initiator), src))
            return rows
        mac_at = tie.dims_.index(dims.ETH_SRC)
        src_at = tie.dims_.index(dims.IP_SRC) if dims.IP_SRC in tie.dims_ else None
        for sender in places(senders & tie.keys):
            row = tie.rows[sender]
            own = src & row[src_at] if src_at is not None else src
            for atom in places(row[mac_at] & initiator):
                rows[atom] = rows.get(atom, 0) | own
        return rows


def _changed_by(commit: ConnectionSet, known: Sequence[ConnectionSet]) -> Iterator[ConnectionSet]:
    """Yield the connections of a zone whose label a commit may change: its packets are found in them.

    In their direction, this is the connection that the commit itself would make, unless addresses change.
    """
    proto, src, dst, sport, dport = commit.tuple5
    back = Tuple5(proto, dst, src, dport, sport)
    for each in known:
        of = each.tuple5
        ways = [(back, of)]
        if each.translated:
            seen = of._replace(src=each.translated, sport=of.sport | sport | dport)
            ways += [(back, seen), (commit.tuple5, seen), (commit.tuple5, of)]
        for wanted, there in ways:
            both = Tuple5(*(one & other for one, other in zip(wanted, there, strict=True)))
            if all(both):
                narrowed = both if there is of else both._replace(src=of.src, sport=of.sport)
                yield replace(commit, tuple5=narrowed, translated=each.translated, sources=None, targets=None)
