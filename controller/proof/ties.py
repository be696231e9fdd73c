"""Ties: what is true inside a box although its masks do not say it. Joining boxes loses little because
of them.

A box says "any of these senders, with any of these addresses". A tie adds, for each value of one
dimension, which masks of others go with it: "this sender has these addresses". A tie is recorded from
the very boxes that are joined, so it is true of all packets in the box that carries it; it is dropped
when a flow writes a dimension.
"""

from collections.abc import Iterable, Mapping

from controller.proof.atoms import places
from controller.proof.rules import Rule, limit

_FEW = 32  # atoms, up to which an index is faster than a walk over all rows


class Tie:
    """For each atom of `key`: the mask that each of `dims_` may have."""

    __slots__ = ("_by_atom", "_keys", "_unions", "bits", "dims_", "key", "keys", "rows", "rule")

    def __init__(self, key: int, dims_: tuple[int, ...], rows: Mapping[int, tuple[int, ...]]) -> None:
        self.key, self.dims_, self.rows = key, dims_, rows
        self.bits = 1 << key | sum(1 << dim for dim in dims_)
        self.keys = sum(1 << atom for atom in rows)
        self.rule = Rule(self._narrow, key, *dims_)
        self._unions: dict[int, tuple[int, ...]] = {}
        self._keys: list[dict[int, int]] = [{} for _ in dims_]
        self._by_atom: list[dict[int, int] | None] = [None for _ in dims_]

    def _narrow(self, box: list[int]) -> int:
        keys = box[self.key] & self.keys
        for place, dim in enumerate(self.dims_):
            keys &= self.keys_of(place, box[dim])
        touched = limit(box, self.key, keys)
        if touched < 0:
            return -1
        for dim, mask in zip(self.dims_, self.union(keys), strict=True):
            touched |= limit(box, dim, mask)
        return touched

    def union(self, keys: int) -> tuple[int, ...]:
        """Return the masks that go with any of some atoms of the key."""
        found = self._unions.get(keys)
        if found is None:
            united = [0] * len(self.dims_)
            for atom in places(keys & self.keys):
                for place, mask in enumerate(self.rows[atom]):
                    united[place] |= mask
            found = self._unions[keys] = tuple(united)
        return found

    def keys_of(self, place: int, mask: int) -> int:
        """Return the atoms of the key that go with any value of a mask of the dimension at a place."""
        memo = self._keys[place]
        found = memo.get(mask)
        if found is None:
            if mask.bit_count() < _FEW:
                found = self._keys_of_few(place, mask)
            else:
                found = sum(1 << atom for atom, row in self.rows.items() if row[place] & mask)
            memo[mask] = found
        return found

    def _keys_of_few(self, place: int, mask: int) -> int:
        index = self._by_atom[place]
        if index is None:
            index = self._by_atom[place] = {}
            for key, row in self.rows.items():
                for atom in places(row[place]):
                    index[atom] = index.get(atom, 0) | 1 << key
        found = 0
        for atom in places(mask):
            found |= index.get(atom, 0)
        return found

    def without(self, dim: int) -> "Tie | None":
        """Return what remains true after a dimension is written."""
        if dim == self.key or self.dims_ == (dim,):
            return None
        if dim not in self.dims_:
            return self
        at = self.dims_.index(dim)
        rows = {atom: row[:at] + row[at + 1 :] for atom, row in self.rows.items()}
        return Tie(self.key, self.dims_[:at] + self.dims_[at + 1 :], rows)


class Ties:
    """Gives each set of ties a number, so that boxes are plain tuples of numbers. 0: no tie."""

    def __init__(self) -> None:
        self._sets: list[tuple[Tie, ...]] = [()]
        self._rules: list[tuple[Rule, ...]] = [()]
        self._numbers: dict[tuple[int, ...], int] = {(): 0}
        self._bits: list[int] = [0]
        self._without: dict[tuple[int, int], int] = {}
        self._without_all: dict[tuple[int, tuple[int, ...]], int] = {}
        self._except: dict[tuple[int, int], int] = {}
        self._known: dict[tuple[object, ...], Tie] = {}
        self._turned: dict[tuple[int, int, int], Tie] = {}

    def of(self, number: int) -> tuple[Tie, ...]:
        return self._sets[number]

    def rules_of(self, number: int) -> tuple[Rule, ...]:
        return self._rules[number]

    def has_all(self, number: int, others: int) -> bool:
        """Return whether some ties are among those of a number."""
        return set(self._sets[others]) <= set(self._sets[number])

    def tie(self, key: int, dims_: tuple[int, ...], rows: Mapping[int, tuple[int, ...]]) -> Tie:
        """Return a tie; the same one for the same content."""
        content = (key, dims_, tuple(sorted(rows.items())))
        return self._known.setdefault(content, Tie(key, dims_, rows))

    def united(self, one: Tie, other: Tie) -> Tie:
        """Return what is true of both of two sets of packets. Both ties have the same dimensions."""
        rows = dict(one.rows)
        for atom, row in other.rows.items():
            have = rows.get(atom)
            rows[atom] = tuple(a | b for a, b in zip(have, row, strict=True)) if have else row
        return self.tie(one.key, one.dims_, rows)

    def turned(self, tie: Tie, key: int, dim: int) -> Tie:
        """Return a tie with the same rows between other dimensions."""
        found = self._turned.get((id(tie), key, dim))
        if found is None:
            found = self._turned[id(tie), key, dim] = self.tie(key, (dim,), tie.rows)
        return found

    def number(self, ties: Iterable[Tie]) -> int:
        chosen = sorted({id(tie): tie for tie in ties}.values(), key=id)
        key = tuple(id(tie) for tie in chosen)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._sets)
            self._sets.append(tuple(chosen))
            self._rules.append(tuple(tie.rule for tie in chosen))
            self._bits.append(0)
            for tie in chosen:
                self._bits[-1] |= tie.bits
        return number

    def except_of(self, number: int, key: int) -> int:
        """Return the ties that have another key."""
        found = self._except.get((number, key))
        if found is None:
            found = self.number(tie for tie in self._sets[number] if tie.key != key)
            self._except[number, key] = found
        return found

    def without_all(self, number: int, dims_: tuple[int, ...]) -> int:
        """Return the ties that remain when some dimensions are written."""
        if not number:
            return number
        found = self._without_all.get((number, dims_))
        if found is None:
            found = number
            for dim in dims_:
                found = self.without(found, dim)
            self._without_all[number, dims_] = found
        return found

    def without(self, number: int, dim: int) -> int:
        """Return the ties that remain when a dimension is written."""
        if not self._bits[number] >> dim & 1:
            return number
        found = self._without.get((number, dim))
        if found is None:
            kept = (tie.without(dim) for tie in self._sets[number])
            ties = [self.tie(t.key, t.dims_, t.rows) for t in kept if t is not None]
            found = self._without[number, dim] = self.number(ties)
        return found
