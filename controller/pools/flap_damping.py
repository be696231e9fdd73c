"""A member that goes down again and again is held down, each time for longer. Pure; time is a parameter.

Each fall costs the sessions that the member has, and each change costs the
switches a plan; so a member that cannot make up its mind is believed later.
"""

from dataclasses import dataclass

TOLERATED_FALLS = 2  # the next one within the time below is one too many
REMEMBERED_S = 600.0
LONGEST = 32  # times the first hold
_MOST_FALLS = 16  # more change nothing: the hold has reached its length long before


@dataclass(frozen=True, slots=True)
class Damping:
    falls: tuple[float, ...] = ()  # when it went down, those that are remembered
    hold_s: float = 0.0  # how long it is held down since the last one

    def on_fall(self, now: float, first_hold_s: float) -> "Damping":
        """Take a fall in. No first hold: nobody is held down, nor for these falls later."""
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
    """Return how many first holds long the hold is: none for the first falls, then doubling up to a limit."""
    excess = falls - TOLERATED_FALLS - 1
    return 0 if excess < 0 else min(2**excess, LONGEST)
