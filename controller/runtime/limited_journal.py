"""Lines of the journal that a switch causes: bounded, so that one that flaps cannot fill the disk."""

from dataclasses import dataclass

from common.journal.journal import Journal
from controller.sync.refusal import SwitchRefusal
from controller.telemetry.events import ControllerEvent

MINUTE_S = 60.0
MOST_LINES = 5  # per minute, for each switch and event; the rest is counted in one line
_MOST_OF_PORTS = 100
_MOST = {ControllerEvent.PORT_WENT_DOWN: _MOST_OF_PORTS, ControllerEvent.PORT_CAME_UP: _MOST_OF_PORTS}


@dataclass(slots=True)
class _EventCount:
    began: float
    count: int = 0


class LimitedJournal:
    """Time is a parameter, in seconds that only go forward."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._counts: dict[tuple[str, ControllerEvent], _EventCount] = {}

    def write(self, now: float, event: ControllerEvent, switch: str, **facts: object) -> None:
        """Write a line about a switch, or only count it."""
        self.on_tick(now)
        known = self._counts.setdefault((switch, event), _EventCount(now))
        known.count += 1
        if known.count <= _MOST.get(event, MOST_LINES):
            self._journal.write(event, switch=switch, **facts)

    def end_refusal(self, now: float, switch: str, refused: SwitchRefusal) -> SwitchRefusal:
        """Report that a refusal has ended, if there was one; return that nothing is refused."""
        if refused.count:
            self.write(now, ControllerEvent.REFUSAL_ENDED, switch, reason=refused.reason)
        return SwitchRefusal()

    def on_tick(self, now: float) -> None:
        """Report what has got no line of its own in a minute that is over."""
        for (switch, event), known in list(self._counts.items()):
            if now - known.began < MINUTE_S:
                continue
            del self._counts[switch, event]
            if (left_out := known.count - _MOST.get(event, MOST_LINES)) > 0:
                self._journal.write(
                    ControllerEvent.MANY_SWITCH_EVENTS, switch=switch, events=str(event), count=left_out
                )
