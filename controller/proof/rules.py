"""Rules that narrow a box by what is known of some of its dimensions, and remember what they found."""

from collections.abc import Callable
from operator import itemgetter

from controller.proof.atoms import places


class Rule:
    """`compute` narrows some dimensions of a box by one another. It returns the dimensions that have changed,
    as bits; negative: nothing remains.

    `known`: for the masks of these dimensions (`masks_of`), what `compute` returned, and the new masks.
    """

    __slots__ = ("_compute", "bits", "known", "masks_of")

    def __init__(self, compute: Callable[[list[int]], int], *dims_: int) -> None:
        self._compute, self.masks_of = compute, itemgetter(*dims_)
        self.known: dict[tuple[int, ...], tuple[int, tuple[tuple[int, int], ...]]] = {}
        self.bits = sum(1 << dim for dim in dims_)

    def learn(self, box: list[int]) -> int:
        """Narrow a box whose masks are not known yet; return what `compute` returns."""
        masks = self.masks_of(box)
        touched = self._compute(box)
        self.known[masks] = touched, tuple((dim, box[dim]) for dim in places(touched)) if touched > 0 else ()
        return touched


def limit(box: list[int], dim: int, mask: int) -> int:
    """Return the dimension as a bit if its mask shrinks, 0 if it does not, -1 if nothing remains."""
    common = box[dim] & mask
    if common == box[dim]:
        return 0
    box[dim] = common
    return 1 << dim if common else -1
