"""A member that comes up gets a growing share of new sessions, in a few steps. Pure; time is a parameter.

A program that has just started is slow: caches are cold, and it has no connections
yet. Shares grow in steps because each step is a plan for the switches. A member
starts slowly only if a warm member can carry the rest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.pools.members import PoolMember

STEPS = 5
_EVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Start:
    """Since when a member takes new sessions, and whether it began with a small share."""

    at: float
    is_slow: bool

    def is_warm(self, now: float, slow_start_s: float) -> bool:
        return now - self.at >= slow_start_s

    def step(self, now: float, slow_start_s: float) -> int:
        """Return how many of the STEPS parts of its full share a member gets, at least 1."""
        if not self.is_slow or self.is_warm(now, slow_start_s):
            return STEPS
        return 1 + int((now - self.at) / slow_start_s * STEPS)


LONG_AGO = Start(_EVER, is_slow=False)


def starts_after(now: float, before: Mapping[str, Start], takers: Iterable[PoolMember]) -> dict[str, Start]:
    """Return since when each of these members has taken new sessions."""
    takers = list(takers)
    warm = {
        member.pool
        for member in takers
        if (start := before.get(member.path)) and start.is_warm(now, member.rules.slow_start_s)
    }
    return {
        member.path: before.get(member.path) or Start(now, is_slow=member.pool in warm) for member in takers
    }
