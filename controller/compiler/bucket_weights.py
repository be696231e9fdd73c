"""Weights of a pool's members as weights of buckets, so that the switch spreads accurately. Pure.

Open vSwitch spreads connections over a `select` group by a table of slots. Their number
is a power of two: at least 16, and at least the sum of all weights divided by the smallest,
but no more than 256 (ofproto/ofproto-dpif.c, group_setup_dp_hash_table; above that it
makes a datapath flow for each connection). Three equal members get 6, 5 and 5 of 16
slots, an error of 12 %. Where so few slots are too coarse, members get their share of
256 slots, and one bucket is split so that the switch uses that many.
"""

from collections.abc import Sequence

_FEWEST, _MOST = 16, 256
_TOLERATED = 0.03


def bucket_weights(weights: Sequence[int]) -> list[tuple[int, int]]:
    """Return (index of the member, weight of a bucket) for positive weights; a member may have two."""
    if not weights or _is_fine(weights, _slots_by_default(weights)):
        return list(enumerate(weights))
    slots = _apportioned(weights, _MOST)
    largest = slots.index(max(slots))
    buckets = [(index, count - (index == largest)) for index, count in enumerate(slots)]
    return [*buckets, (largest, 1)]


def _slots_by_default(weights: Sequence[int]) -> int:
    wanted = -(-sum(weights) // min(weights))
    return max(_FEWEST, 1 << (wanted - 1).bit_length())


def _is_fine(weights: Sequence[int], slots: int) -> bool:
    if slots > _MOST:
        return False
    counts, total = _apportioned(weights, slots), sum(weights)
    return all(
        abs(count * total / (slots * weight) - 1) <= _TOLERATED
        for count, weight in zip(counts, weights, strict=True)
    )


def _apportioned(weights: Sequence[int], slots: int) -> list[int]:
    """Distribute slots by Webster's method, as the switch does, but give each member at least one."""
    counts = [1] * len(weights)
    for _ in range(slots - len(weights)):
        quotients = [weight / (2 * count + 1) for weight, count in zip(weights, counts, strict=True)]
        counts[quotients.index(max(quotients))] += 1
    return counts
