"""Joins boxes that differ only in who sent them, so that the work stays linear in the number of
tenants.

What each sender may be (its port, MAC, party, addresses) is kept as a tie. Only senders of one kind are
joined: the backbone's routers, those of tenants, or the hosts of one pool.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter, or_

from controller.pipeline.fields import Role
from controller.proof import modes
from controller.proof.atoms import places
from controller.proof.boxes import united
from controller.proof.dims import (
    CT_ZONE,
    DPORT,
    DST_IS_INITIATOR,
    DST_IS_RESPONDER,
    ETH_DST,
    ETH_SRC,
    ETH_TYPE,
    FLAGS,
    FRAGMENT,
    IN_PORT,
    INITIATOR,
    IP_DST,
    IP_SRC,
    LABEL_I,
    LABEL_IS_ENDS,
    LABEL_R,
    MASKS,
    MODE,
    PARTY,
    PROTO,
    RESPONDER,
    SENDER,
    SPORT,
    TIES,
    Box,
)
from controller.proof.space import Space
from controller.proof.ties import Tie, Ties

_IDENTITY = (IN_PORT, ETH_SRC, PARTY, IP_SRC, CT_ZONE)
_AS_RESPONDER, _AS_INITIATOR = (RESPONDER, LABEL_R), (INITIATOR, LABEL_I)
_OF_VERSION = (ETH_TYPE, IP_SRC, IP_DST)
_EXACT = (IP_DST, DPORT, SPORT, PROTO, IP_SRC, ETH_DST, FRAGMENT, SENDER, ETH_TYPE)


class Joiner:
    def __init__(self, space: Space, ties: Ties) -> None:
        self._ties, self._hidden = ties, space.hidden_proto
        self._senders = tuple(_kinds(space))
        self._macs = tuple(_united(space.mac_of_sender, senders) for senders in self._senders)
        self._ties_of_both: dict[tuple[int, int], int] = {}
        self._identities_of: dict[int, tuple[int, ...]] = {}

    def exact(self, boxes: Iterable[Box]) -> list[Box]:
        return united(boxes, _EXACT)

    def join(self, boxes: Iterable[Box]) -> list[Box]:
        """Return boxes with all packets of the given ones, and few others."""
        return self._not_contained(self._by_target(self._by_sender(self._by_version(self.exact(boxes)))))

    def _not_contained(self, boxes: list[Box]) -> list[Box]:
        """Return boxes without those that lie in another one; only boxes that look alike are compared."""
        groups: dict[tuple[int, ...], list[Box]] = defaultdict(list)
        for box in boxes:
            groups[_LOOKS(box)].append(box)
        found: list[Box] = []
        for group in groups.values():
            found += group if len(group) == 1 else self._largest(group)
        return found

    def _largest(self, group: list[Box]) -> list[Box]:
        kept: list[Box] = []
        for box in sorted(group, key=_size, reverse=True):
            if not any(self._contains(other, box) for other in kept):
                kept.append(box)
        return kept

    def _contains(self, outer: Box, inner: Box) -> bool:
        """Return whether all packets of a box lie in another one, which has the same flags."""
        if outer[IP_DST] | inner[IP_DST] != outer[IP_DST] or outer[PROTO] | inner[PROTO] != outer[PROTO]:
            return False
        if outer[:MASKS] != tuple(map(or_, outer[:MASKS], inner)):
            return False
        return outer[TIES] == inner[TIES] or self._ties.has_all(inner[TIES], outer[TIES])

    def _by_version(self, boxes: Iterable[Box]) -> list[Box]:
        """Join IPv4 and IPv6. Nothing is lost: ethertype and addresses are of one version in every packet.

        Only packets of IPv6 can hide their protocol.
        """
        groups: dict[tuple[int, ...], list[Box]] = {}
        for box in boxes:
            key = list(box)
            for dim in _OF_VERSION:
                key[dim] = 0
            key[PROTO] |= self._hidden
            key[TIES] = self._ties.except_of(box[TIES], SENDER)
            groups.setdefault(tuple(key), []).append(box)
        joined = []
        for group in groups.values():
            by_type: dict[int, list[Box]] = {}
            for box in group:
                by_type.setdefault(box[ETH_TYPE], []).append(box)
            ties = group[0][TIES]
            for box in group[1:]:
                ties = self._of_both(ties, box[TIES])
            if all(len(each) == 1 for each in by_type.values()) and ties >= 0:
                joined.append((*_sum(group, (*_OF_VERSION, PROTO))[:TIES], ties))
            else:
                joined += group
        return joined

    def _of_both(self, one: int, other: int) -> int:
        """Return the ties of packets of both versions; -1 if senders differ in more than their addresses."""
        if one == other or min(one, other) < 0:
            return min(one, other)
        found = self._ties_of_both.get((one, other))
        if found is None:
            found = -1
            pair = [[tie for tie in self._ties.of(number) if tie.key == SENDER] for number in (one, other)]
            if all(len(each) == 1 for each in pair) and _differ_in_source(pair[0][0], pair[1][0]):
                others = (tie for tie in self._ties.of(one) if tie.key != SENDER)
                found = self._ties.number((*others, self._ties.united(pair[0][0], pair[1][0])))
            self._ties_of_both[one, other] = found
        return found

    def _by_sender(self, boxes: Iterable[Box]) -> list[Box]:
        joined = []
        groups: dict[tuple[object, ...], list[Box]] = defaultdict(list)
        for box in boxes:
            kind = _kind(box[SENDER], self._senders)
            if kind is None:
                joined.append(box)
                continue
            others = self._ties.except_of(box[TIES], SENDER)
            identity = self._identity(box[MODE])
            key = list(box)
            for dim in (SENDER, *identity):
                key[dim] = 0
            key[TIES] = others
            groups[kind, *key].append(box)
        for group in groups.values():
            joined.append(group[0] if len(group) == 1 else self._one(group))
        return joined

    def _identity(self, mode: int) -> tuple[int, ...]:
        """Return the dimensions that depend on who sent a packet of some modes."""
        found = self._identities_of.get(mode)
        if found is None:
            is_known = not mode & (modes.UNTRACKED | modes.NEW)
            found = self._identities_of[mode] = _IDENTITY + (
                _AS_RESPONDER + _AS_INITIATOR if is_known else ()
            )
        return found

    def _by_target(self, boxes: Iterable[Box]) -> list[Box]:
        """Join what follows a label to routers of one kind. The address still goes with the end, by a tie."""
        groups: dict[tuple[object, ...], Box] = {}
        joined = []
        for box in boxes:
            end = _END_OF_FLAGS.get(box[FLAGS] & (DST_IS_RESPONDER | DST_IS_INITIATOR))
            kind = _kind(box[ETH_DST], self._macs) if end else None
            if end is None or kind is None:
                joined.append(box)
                continue
            vary = (ETH_DST, IP_DST, *end) if box[FLAGS] & LABEL_IS_ENDS else (ETH_DST, IP_DST, end[0])
            key = list(box)
            for dim in vary:
                key[dim] = 0
            other = groups.get((kind, *key))
            if other is not None:
                both = list(box)
                for dim in vary:
                    both[dim] |= other[dim]
                box = tuple(both)
            groups[kind, *key] = box
        return joined + list(groups.values())

    def _one(self, group: list[Box]) -> Box:
        box = list(group[0])
        identity = self._identity(box[MODE])
        for dim in (SENDER, *identity):
            for each in group:
                box[dim] |= each[dim]
        others = (tie for tie in self._ties.of(box[TIES]) if tie.key != SENDER)
        box[TIES] = self._ties.number((*others, *self._identities(group, box, identity)))
        return tuple(box)

    def _identities(self, group: list[Box], whole: list[int], identity: tuple[int, ...]) -> tuple[Tie, ...]:
        same = {tuple(tie for tie in self._ties.of(box[TIES]) if tie.key == SENDER) for box in group}
        wanted = tuple(dim for dim in identity if any(box[dim] != whole[dim] for box in group))
        if len(same) == 1:
            (only,) = same
            if any(set(wanted) <= set(tie.dims_) for tie in only):
                return only
        dims_ = tuple(sorted({*wanted, *(dim for ties in same for tie in ties for dim in tie.dims_)}))
        rows: dict[int, list[int]] = {}
        for box in group:
            own = [tie for tie in self._ties.of(box[TIES]) if tie.key == SENDER]
            for sender in places(box[SENDER]):
                row = rows.setdefault(sender, [0] * len(dims_))
                for place, mask in enumerate(row_of(box, own, sender, dims_)):
                    row[place] |= mask
        return (self._ties.tie(SENDER, dims_, {sender: tuple(row) for sender, row in rows.items()}),)


def _sum(boxes: list[Box], over: Sequence[int]) -> Box:
    united = list(boxes[0])
    for dim in over:
        for box in boxes:
            united[dim] |= box[dim]
    return tuple(united)


def _kinds(space: Space) -> Iterator[int]:
    """Yield the senders of each kind: the backbone, all tenants, and the hosts of each pool."""
    by_kind: dict[object, int] = defaultdict(int)
    for place, sender in enumerate(space.senders):
        if sender.neighbour:
            role = sender.neighbour.role
            is_router = role in (Role.BACKBONE, Role.TENANT)
            by_kind[role if is_router else sender.neighbour.party] |= 1 << place
    yield from by_kind.values()


def _differ_in_source(one: Tie, other: Tie) -> bool:
    """Return whether two ties say the same of each sender, apart from its addresses."""
    if one.dims_ != other.dims_ or one.keys != other.keys or IP_SRC not in one.dims_:
        return False
    at = one.dims_.index(IP_SRC)
    return all(
        a == b
        for atom, row in one.rows.items()
        for place, (a, b) in enumerate(zip(row, other.rows[atom], strict=True))
        if place != at
    )


_LOOKS = itemgetter(LABEL_R, LABEL_I, MODE, CT_ZONE, FLAGS)


def _size(box: Box) -> int:
    """Return a number that is larger for a box than for those inside it."""
    return sum(map(int.bit_count, box[:MASKS]))


_END_OF_FLAGS = {DST_IS_RESPONDER: _AS_RESPONDER, DST_IS_INITIATOR: _AS_INITIATOR}


def _kind(mask: int, kinds: tuple[int, ...]) -> int | None:
    """Return which of some kinds a mask lies in; None if it is in no single one."""
    return next((place for place, all_ in enumerate(kinds) if not mask & ~all_), None)


def _united(masks: tuple[int, ...], chosen: int) -> int:
    united = 0
    for place in places(chosen):
        united |= masks[place]
    return united


def row_of(box: Box, ties: Sequence[Tie], sender: int, dims_: tuple[int, ...]) -> list[int]:
    """Return what one sender may be in a box."""
    masks = {dim: box[dim] for dim in dims_}
    for tie in ties:
        for dim, mask in zip(tie.dims_, tie.rows.get(sender, ()), strict=False):
            if dim in masks:
                masks[dim] &= mask
    return [masks[dim] for dim in dims_]
