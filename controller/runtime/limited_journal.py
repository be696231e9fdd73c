"""Lines of the journal that a switch causes: bounded, so that one that flaps cannot fill the disk."""

from dataclasses import dataclass

from common.journal.journal import Journal
from controller.sync.refusal import SwitchRefusal
from controller.telemetry.events import ControllerEvent

MINUTE_S = 60.0
MOST_LINES = 5  # per minute, for each switch, event and port; the rest is counted in one line
MOST_PORTS = 100  # of one switch with lines of their own
STRANGERS = "(not in the policy)"  # all unknown switches together


@dataclass(slots=True)
class _EventCount:
    began: float
    count: int = 0


class LimitedJournal:
    """Time is a parameter, in seconds that only go forward."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._counts: dict[tuple[str, ControllerEvent, int | None], _EventCount] = {}

    def write(self, now: float, event: ControllerEvent, switch: str, **facts: object) -> None:
        """Write a line about a switch, or only count it."""
        if self._may_write(now, event, switch, None):
            self._journal.write(event, switch=switch, **facts)

    def write_of_port(self, now: float, event: ControllerEvent, switch: str, port: int, name: str) -> None:
        """Write a line about a port, or only count it. A port that flaps hides no other port."""
        known = sum(key[:2] == (switch, event) for key in self._counts)
        is_own = known < MOST_PORTS or (switch, event, port) in self._counts
        if self._may_write(now, event, switch, port if is_own else None):
            self._journal.write(event, switch=switch, port=port, name=name)

    def write_of_stranger(self, now: float, event: ControllerEvent, dpid: int) -> None:
        """Write a line about a switch that is not in the policy, or only count it."""
        if self._may_write(now, event, STRANGERS, None):
            self._journal.write(event, dpid=dpid)

    def end_refusal(self, now: float, switch: str, refused: SwitchRefusal) -> SwitchRefusal:
        """Report that a refusal has ended, if there was one; return that nothing is refused."""
        if refused.count:
            self.write(now, ControllerEvent.REFUSAL_ENDED, switch, reason=refused.reason)
        return SwitchRefusal()

    def on_tick(self, now: float) -> None:
        """Report what has got no line of its own in a minute that is over."""
        for (switch, event, port), known in list(self._counts.items()):
            if now - known.began < MINUTE_S:
                continue
            del self._counts[switch, event, port]
            if (left_out := known.count - MOST_LINES) > 0:
                events = str(event) if port is None else f"{event} of port {port}"
                self._journal.write(
                    ControllerEvent.MANY_SWITCH_EVENTS, switch=switch, events=events, count=left_out
                )

    def _may_write(self, now: float, event: ControllerEvent, switch: str, port: int | None) -> bool:
        self.on_tick(now)
        known = self._counts.setdefault((switch, event, port), _EventCount(now))
        known.count += 1
        return known.count <= MOST_LINES
