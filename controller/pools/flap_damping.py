"""A member that goes down again and again is held down, each time for longer. Pure; time is a parameter.

Each failure costs the member's sessions, and each change costs the switches a plan,
so a member that goes up and down is trusted later.
"""

from dataclasses import dataclass

TOLERATED_FALLS = 2  # a further one within the time below leads to a hold
REMEMBERED_S = 600.0
LONGEST = 32  # times the first hold
_MOST_FALLS = 16  # more change nothing: the hold has long reached its maximum


@dataclass(frozen=True, slots=True)
class Damping:
    falls: tuple[float, ...] = ()  # when it went down, as far as remembered
    hold_s: float = 0.0  # how long it is held down since the last one

    def on_fall(self, now: float, first_hold_s: float) -> "Damping":
        """Record a failure. Without a first hold, the member is not held down, now or later for it."""
        if not first_hold_s:
            return Damping()
        recent = (*(fall for fall in self.falls if now - fall < REMEMBERED_S), now)[-_MOST_FALLS:]
        return Damping(recent, first_hold_s * _times(len(recent)))

    def is_holding(self, now: float) -> bool:
        return self.hold_s > 0 and now < self.falls[-1] + self.hold_s

    def __str__(self) -> str:
        minutes = REMEMBERED_S / 60
        return f"held down for {self.hold_s:.0f} s: it went down {len(self.falls)} times in {minutes:.0f} min"


def _times(falls: int) -> int:
    """Return the hold as a multiple of the first one: 0 for the first failures, then doubling to a limit."""
    excess = falls - TOLERATED_FALLS - 1
    return 0 if excess < 0 else min(2**excess, LONGEST)
