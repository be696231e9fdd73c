"""When the next repair of a switch may be sent: at once, unless another client undoes each one. Pure."""

from dataclasses import dataclass

LONGEST_PAUSE_S = 0.3  # between repairs, if another client changes the switch again and again
_PAUSE_STEP_S = 0.1
_QUIET_S = 5.0  # after this time without a repair, the next one is sent at once


@dataclass(frozen=True, slots=True)
class RepairPace:
    """`due`: when the next repair may be sent."""

    due: float = 0.0
    _pause_s: float = 0.0

    def after_sending(self, now: float) -> "RepairPace":
        """A repair is on its way: each further one within some seconds waits longer."""
        is_quiet = now - self.due > _QUIET_S
        pause = min(LONGEST_PAUSE_S, (0.0 if is_quiet else self._pause_s) + _PAUSE_STEP_S)
        return RepairPace(now + pause, pause)

    def after_confirmation(self, now: float) -> "RepairPace":
        return RepairPace(now + self._pause_s, self._pause_s)

    def not_before(self, due: float) -> "RepairPace":
        return RepairPace(due, self._pause_s)

    def not_after(self, due: float) -> "RepairPace":
        return RepairPace(min(self.due, due), self._pause_s)
