"""Which flows differ between two states, found by identity.

Most flows are one object in both, in the same order: runs of these are skipped, and their keys, which take
long to hash, are not looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress, count
from operator import is_not

from controller.sync.state import WireFlow, WireKey

_LEAST, _MOST = 16, 4096  # flows that are compared at once
Changed = tuple[list[WireFlow], list[WireFlow]]


def changes(before: Mapping[WireKey, WireFlow], after: Mapping[WireKey, WireFlow]) -> Iterator[Changed]:
    """Yield the flows that only the first state has as objects, and those that only the second one has.

    They come in small portions, some of them empty, so that the caller may give way.
    """
    old, new = list(before.values()), list(after.values())
    at_old = at_new = 0
    size = _LEAST if old else 0
    while size and (at_old < len(old) or at_new < len(new)):
        some, others = old[at_old : at_old + size], new[at_new : at_new + size]
        same = next(compress(count(), map(is_not, some, others)), min(len(some), len(others)))
        at_old, at_new = at_old + same, at_new + same
        if same == size:
            size = min(2 * size, _MOST)
            yield [], []
            continue
        size = _LEAST
        gone = [each for each in old[at_old : at_old + 1] if after.get(each.key) is not each]
        come = [each for each in new[at_new : at_new + 1] if before.get(each.key) is not each]
        if not gone and not come:
            break  # their order differs
        at_old, at_new = at_old + len(gone), at_new + len(come)
        yield gone, come
    yield _only_in(old[at_old:], new[at_new:]), _only_in(new[at_new:], old[at_old:])


def _only_in(some: Sequence[WireFlow], others: Sequence[WireFlow]) -> list[WireFlow]:
    known = set(map(id, others))
    return [each for each in some if id(each) not in known]
