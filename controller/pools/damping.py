"""A member that goes down again and again is held down, each time for longer. Pure; time is a parameter.

Each fall costs the sessions that the member has, and each change costs the
switches a plan; so a member that cannot make up its mind is believed later.
"""

from dataclasses import dataclass

TOLERATED_FALLS = 2  # the next one within the time below is one too many
REMEMBERED_S = 600.0
FIRST_HOLD_S = 10.0
LONGEST_HOLD_S = 300.0
_MOST_FALLS = 16  # more change nothing: the hold has reached its length long before


@dataclass(frozen=True, slots=True)
class Damping:
    falls: tuple[float, ...] = ()  # when it went down, those that are remembered
    hold_s: float = 0.0  # how long it is held down since the last one

    def on_fall(self, now: float) -> "Damping":
        recent = (*(fall for fall in self.falls if now - fall < REMEMBERED_S), now)[-_MOST_FALLS:]
        return Damping(recent, _hold_s(len(recent)))

    def is_holding(self, now: float) -> bool:
        return self.hold_s > 0 and now < self.falls[-1] + self.hold_s

    def __str__(self) -> str:
        minutes = REMEMBERED_S / 60
        return f"held down for {self.hold_s:.0f} s: it went down {len(self.falls)} times in {minutes:.0f} min"


def _hold_s(falls: int) -> float:
    """Return no time for the first falls, then twice the last one each time, up to a limit."""
    excess = falls - TOLERATED_FALLS - 1
    return 0.0 if excess < 0 else min(FIRST_HOLD_S * 2**excess, LONGEST_HOLD_S)
