"""The fixed groups of RFC 3526, computed from pi as the RFC defines them."""

from functools import cache

_SHIFT_BY_BITS = {2048: 124_476, 4096: 240_904, 8192: 4_743_158}


@cache
def prime(bits: int) -> int:
    """Return the prime of this size: 2^n - 2^(n-64) - 1 + 2^64 * ([2^(n-130) pi] + shift)."""
    return 2**bits - 2 ** (bits - 64) - 1 + 2**64 * (_pi(bits - 130) + _SHIFT_BY_BITS[bits])


def _pi(bits: int) -> int:
    """Return floor(2^bits * pi), by Machin's formula."""
    guard = 64
    one = 1 << (bits + guard)
    return (4 * (4 * _arctan_of_inverse(5, one) - _arctan_of_inverse(239, one))) >> guard


def _arctan_of_inverse(x: int, one: int) -> int:
    term = one // x
    total, sign, n = term, 1, 1
    while term:
        term //= x * x
        n += 2
        sign = -sign
        total += sign * (term // n)
    return total
