"""Cuts the values of a field into atoms: values that no flow, group or claim tells apart. Pure.

All constants are prefixes (a value and a length), so two of them are disjoint, or one lies inside the
other. There is one atom for each prefix: the prefix without those inside it. Atoms are numbered so that
all that lies inside a prefix follows it; the mask of a prefix is one run of bits, without the numbers of
those prefixes of which nothing is left, because others fill them.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Prefix = tuple[int, int]  # value, with zeros behind the prefix; length in bits


@dataclass(frozen=True, slots=True)
class Domain:
    """The atoms of a field of `bits` bits. Atom 0 is everything that no other prefix contains."""

    bits: int
    prefixes: tuple[Prefix, ...]
    masks: dict[Prefix, int]

    @property
    def everything(self) -> int:
        return self.masks[0, 0]

    def mask(self, value: int, length: int | None = None) -> int:
        """Return the mask of a prefix that is one of the constants. Raise `KeyError` if it is not."""
        return self.masks[value, self.bits if length is None else length]

    def atom_of(self, value: int) -> int:
        """Return the mask of the one atom that a value lies in."""
        place = bisect_right(self.prefixes, (value, self.bits)) - 1
        while not self._contains(place, value):
            place -= 1
        return 1 << place

    def _contains(self, place: int, value: int) -> bool:
        first, length = self.prefixes[place]
        return first >> (self.bits - length) == value >> (self.bits - length)

    def example(self, atom: int) -> int:
        """Return a value that lies in an atom (given by its place), if there is one; else its first value."""
        first, length = self.prefixes[atom]
        inside = [
            p
            for p in self.prefixes
            if p[1] > length and p[0] >> (self.bits - length) == first >> (self.bits - length)
        ]
        candidate = first
        for value, other in sorted(inside):
            if candidate < value:
                return candidate
            candidate = max(candidate, value + (1 << (self.bits - other)))
        return candidate if candidate >> (self.bits - length) == first >> (self.bits - length) else first


def cut(bits: int, constants: Iterable[Prefix]) -> Domain:
    """Return the atoms that some prefixes make."""
    prefixes = tuple(sorted({(0, 0), *constants}))
    masks: dict[Prefix, int] = {}
    open_ones: list[_Open] = []  # prefixes that the next one may lie in

    def close() -> None:
        done = open_ones.pop()
        mask = done.inside | (0 if done.left == 0 else 1 << done.place)
        masks[done.prefix] = mask
        if open_ones:
            open_ones[-1].inside |= mask
            open_ones[-1].left -= 1 << (bits - done.prefix[1])

    for place, prefix in enumerate(prefixes):
        while open_ones and not _is_inside(bits, prefix, open_ones[-1].prefix):
            close()
        open_ones.append(_Open(prefix, place, 1 << (bits - prefix[1])))
    while open_ones:
        close()
    return Domain(bits, prefixes, masks)


@dataclass(slots=True)
class _Open:
    """`left`: how many values no prefix inside has. `inside`: the mask of those prefixes."""

    prefix: Prefix
    place: int
    left: int
    inside: int = 0


def _is_inside(bits: int, inner: Prefix, outer: Prefix) -> bool:
    return inner[0] >> (bits - outer[1]) == outer[0] >> (bits - outer[1])


def prefix_length(mask: int, bits: int) -> int | None:
    """Return the length of a mask that is a prefix; otherwise None."""
    length = mask.bit_count()
    return length if mask == ((1 << length) - 1) << (bits - length) else None


def places(mask: int) -> Iterator[int]:
    """Yield the places of the bits that are set, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
