"""A member that comes up gets a growing share of new sessions, in a few steps. Pure; time is a parameter.

A program that has just been started is slow: caches are cold, connections are not
there yet. Shares grow in steps because each one is a plan for the switches. Nobody
starts slowly while there is nobody warm to carry the rest.
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
        """Return how many parts of its whole share a member gets: 1 to STEPS."""
        if not self.is_slow or self.is_warm(now, slow_start_s):
            return STEPS
        return 1 + int((now - self.at) / slow_start_s * STEPS)


LONG_AGO = Start(_EVER, is_slow=False)


def starts_after(now: float, before: Mapping[str, Start], takers: Iterable[PoolMember]) -> dict[str, Start]:
    """Return when each of those who take new sessions began to."""
    takers = list(takers)
    warm = {
        member.pool
        for member in takers
        if (start := before.get(member.path)) and start.is_warm(now, member.rules.slow_start_s)
    }
    return {
        member.path: before.get(member.path) or Start(now, is_slow=member.pool in warm) for member in takers
    }
