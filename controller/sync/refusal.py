"""What a switch has refused, and how long it is not sent again: less and less often. Pure."""

from dataclasses import dataclass

RETRY_S = 2.0
LONGEST_PAUSE_S = 30.0
_MOST_DOUBLED = 5


@dataclass(frozen=True, slots=True)
class SwitchRefusal:
    """`count`: how often in a row; 0: nothing is refused. `reason`: what the switch gave last.

    `is_repair`: what others have changed was to be put right, too.
    """

    reason: str = ""
    count: int = 0
    is_repair: bool = False

    def again(self, reason: str, *, is_repair: bool = False) -> "SwitchRefusal":
        return SwitchRefusal(reason, self.count + 1, is_repair)

    @property
    def pause_s(self) -> float:
        """Return how long to wait before the next attempt: 2, 4, 8, 16, and then 30 seconds."""
        return min(LONGEST_PAUSE_S, RETRY_S * 2.0 ** min(_MOST_DOUBLED, max(0, self.count - 1)))
