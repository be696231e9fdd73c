"""What conntrack does with fragments, as Open vSwitch's userspace datapath does it (lib/ipf.c).

ct() holds fragments until they are a whole packet, by zone, addresses and protocol, from any sender.
It then lets them go on one by one, each with its own Ethernet header, but all with the registers of the
one that came last. Those that never become whole go on after 15 seconds behind any other packet that
passes a ct(), marked as invalid.
"""

from collections.abc import Iterable
from operator import itemgetter

from controller.pipeline.fields import CtState
from controller.proof import dims, modes
from controller.proof.atoms import places
from controller.proof.boxes import united
from controller.proof.dims import FLAGS, TIES, Box
from controller.proof.engine import Engine
from controller.proof.found import LookUp
from controller.proof.joins import row_of
from controller.proof.space import PIECES

_REGISTERS = (dims.ROLE, dims.PARTY, dims.LEG, dims.POOL, dims.TREATMENT, dims.IN_PORT)
_CONTENT = (dims.PROTO, dims.ICMP_TYPE, dims.ICMP_CODE, dims.FRAGMENT)
_ADDRESSES = (dims.IP_SRC, dims.IP_DST)
_OF_LAST = itemgetter(*_REGISTERS, *_ADDRESSES)  # what other fragments take from the last one
_ALL_BITS = (1 << dims.MASKS) - 1
_BROKEN = 1 << CtState.INVALID | 1 << (CtState.INVALID | CtState.TRACKED)


class HeldFragments:
    """Finds the packets that fragments become in the memory of conntrack."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pieces: dict[LookUp, tuple[int, list[Box]]] = {}
        self._met: set[tuple[Box, tuple[LookUp, *tuple[int, ...]]]] = set()
        self._mixed: set[tuple[LookUp, Box]] = set()
        self._late: set[tuple[str, int, Box]] = set()

    def release(self) -> bool:
        """Add what the fragments that were looked up so far may become. Return whether anything is new."""
        found = self._engine.found
        zones: dict[int, list[tuple[LookUp, Box]]] = {}
        for lookup, boxes in found.lookups.items():
            for piece in self._pieces_of(lookup, boxes):
                zones.setdefault(lookup.zone, []).append((lookup, piece))
        mixed = [each for pieces in zones.values() for each in self._mixtures(pieces)]
        is_new = False
        for lookup, box in mixed:
            if (lookup, box) not in self._mixed:
                self._mixed.add((lookup, box))
                self._engine.look_up(box, lookup)
                is_new = True
        return self._release_late([piece for pieces in zones.values() for _, piece in pieces]) or is_new

    def _pieces_of(self, lookup: LookUp, boxes: Iterable[Box]) -> list[Box]:
        """Return the fragments among boxes, few and large; not those that were released here."""
        boxes = [box for box in boxes if (lookup, box) not in self._mixed]
        count, pieces = self._pieces.get(lookup, (0, []))
        if count != len(boxes):
            found = (self._engine.narrower.intersect(box, [(dims.FRAGMENT, PIECES)]) for box in boxes)
            pieces = _few(piece for piece in found if piece is not None)
            self._pieces[lookup] = len(boxes), pieces
        return pieces

    def _mixtures(self, pieces: list[tuple[LookUp, Box]]) -> Iterable[tuple[LookUp, Box]]:
        """Yield fragments with the registers of others that may make their packet whole."""
        lasts = {(lookup, *_OF_LAST(last)): last for lookup, last in pieces}
        for piece in dict.fromkeys(piece for _, piece in pieces):
            for key, last in lasts.items():
                if (piece, key) in self._met:
                    continue
                self._met.add((piece, key))
                is_same = all(not last[dim] & ~piece[dim] for dim in _REGISTERS)
                if is_same or not all(piece[dim] & last[dim] for dim in _ADDRESSES):
                    continue
                mixed = list(piece)
                for dim in _ADDRESSES:
                    mixed[dim] &= last[dim]
                for dim in _REGISTERS:
                    self._engine.write(mixed, dim, last[dim])
                self._tie_registers(mixed, piece, last)
                if self._engine.narrower.narrow(mixed, _ALL_BITS):
                    yield key[0], tuple(mixed)

    def _tie_registers(self, mixed: list[int], piece: Box, last: Box) -> None:
        """If no two senders share a source, both fragments are of one sender: the registers go with it."""
        before, behind = self._by_kin(piece), self._by_kin(last)
        seen = 0
        for kin in {*before, *behind}:
            sources = before.get(kin, (0,))[0] | behind.get(kin, (0,))[0]
            if sources & seen:
                return
            seen |= sources
        places_ = list(places(piece[dims.SENDER]))
        kin_of = self._engine.space.kin
        rows = {each: behind[kin_of[each][0]][1:] for each in places_ if kin_of[each][0] in behind}
        mixed[dims.SENDER] = sum(1 << each for each in rows)
        ties = self._engine.ties
        mixed[TIES] = ties.number((*ties.of(mixed[TIES]), ties.tie(dims.SENDER, _REGISTERS, rows)))

    def _by_kin(self, box: Box) -> dict[int, tuple[int, ...]]:
        """Return sources and registers of a box's packets, for each group of senders that are kin."""
        found: dict[int, tuple[int, ...]] = {}
        own = [tie for tie in self._engine.ties.of(box[TIES]) if tie.key == dims.SENDER]
        for place in places(box[dims.SENDER]):
            row = row_of(box, own, place, (dims.IP_SRC, *_REGISTERS))
            kin = self._engine.space.kin[place][0]
            other = found.get(kin, (0,) * len(row))
            found[kin] = tuple(a | b for a, b in zip(row, other, strict=True))
        return found

    def _release_late(self, pieces: list[Box]) -> bool:
        """Fragments that were held too long go on behind any packet, with its registers."""
        is_new = False
        for late in _few(map(self._as_late, pieces)):
            for switch, table in list(self._engine.found.behind_ct):
                if (switch, table, late) not in self._late:
                    self._late.add((switch, table, late))
                    self._engine.add(switch, table, late)
                    is_new = True
        return is_new

    def _as_late(self, piece: Box) -> Box:
        late = self._engine.untracked(piece)
        for dim in (*_REGISTERS, dims.CT_ZONE):
            self._engine.write(late, dim, self._engine.space.everything[dim])
        self._engine.write(late, dims.CT_STATE, _BROKEN)
        self._engine.write(late, dims.MODE, modes.UNTRACKED)
        late[FLAGS] = 0
        return tuple(late)


def _few(boxes: Iterable[Box]) -> list[Box]:
    """Return fewer boxes, with all packets of the given ones: those with other content become one."""
    groups: dict[tuple[int, ...], Box] = {}
    for box in boxes:
        key = list(box)
        for dim in _CONTENT:
            key[dim] = 0
        groups[tuple(key)] = _bounding(groups.get(tuple(key), box), box)
    return united(groups.values(), _ADDRESSES)


def _bounding(one: Box, other: Box) -> Box:
    """Return a box that contains both, which have the same flags and ties."""
    united = [a | b for a, b in zip(one, other, strict=True)]
    united[FLAGS], united[TIES] = one[FLAGS], one[TIES]
    return tuple(united)
