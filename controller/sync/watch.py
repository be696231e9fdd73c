"""When to look at a switch again, and how its changes are noticed. Pure.

Flows are monitored: the switch reports each change at once (OpenFlow 1.4, 7.3.5.17). A switch that cannot is
read whole, in turns. No monitor covers groups and meters, so they are always read in turns, and at once when
the switch hints at a change. Each kind of turn takes at most a share of the time.

A turn without an answer is also how a switch is found out that hangs: its connection stays open.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

GROUPS_EVERY_S = 0.4
READ_EVERY_S = 2.0
READ_AT_LEAST_EVERY_S = 60.0
RESUMED_EVERY_S = 5.0  # a monitor that pauses again and again makes the switch be read this often
SILENT_AFTER_S = 1.5  # without a word, while an answer is due: what the switch holds is not known any more
_SILENT_AFTER_WORK_S = 5.0  # a switch that takes up 100,000 flows says nothing for seconds
_LONGEST_TICK_S = 0.75  # a controller that was busy for longer has not listened, so that is no silence
_GROUPS_SHARE = 10  # a turn begins this many times its own duration after the last one
_READ_SHARE = 20
_OVERDUE = 1.5  # times the pause between readings of the whole switch


class Monitoring(StrEnum):
    OFF = "not monitored"
    ASKED = "asked"  # requested, without an answer yet
    ON = "monitored"
    PAUSED = "paused"  # the switch keeps reports back: its buffer is full


@dataclass(slots=True)
class Watch:
    """Times are monotonic seconds. `awaits_groups`: groups or meters have changed, and are not read yet."""

    monitoring: Monitoring = Monitoring.OFF
    reason: str = ""  # why there is no monitor
    every_s: float = READ_EVERY_S  # how often the whole switch is read without a monitor
    awaits_groups: bool = False
    turn: int = 0
    _silent_s: float = 0.0  # for how long an answer has been due without a word
    _patience_s: float = SILENT_AFTER_S
    _ticked_at: float = 0.0
    _received: int = 0
    _is_overdue: bool = False
    _last_read: float = -inf  # when what was read last was asked for
    _groups_due: float = 0.0
    _groups_asked: float = inf  # when; inf: no request is pending
    _read_due: float = inf
    _read_asked: float = 0.0

    def on_connected(self) -> None:
        self.monitoring, self.reason = Monitoring.ASKED, ""
        self.awaits_groups, self._groups_due, self._groups_asked, self._read_due = False, 0.0, inf, inf
        self._silent_s, self._is_overdue, self._last_read = 0.0, False, -inf

    def on_disconnected(self) -> None:
        self.monitoring, self.reason, self._silent_s, self._groups_asked = Monitoring.OFF, "", 0.0, inf

    @property
    def silent_s(self) -> float:
        """Return for how long a switch has not answered; 0: not long enough to say so."""
        return self._silent_s if self._silent_s >= self._patience_s else 0.0

    @property
    def is_overdue(self) -> bool:
        """Return whether there is no monitor, and the last reading is too old."""
        return self._is_overdue

    @property
    def is_recent(self) -> bool:
        """Return whether what is known of the switch was true just now, as far as it reports."""
        is_whole = self.monitoring is not Monitoring.PAUSED and not self.awaits_groups
        return is_whole and not self.silent_s and not self._is_overdue

    def age_s(self, now: float) -> float:
        """Return how old the last reading of the whole switch is."""
        return now - self._last_read

    def on_tick(self, now: float, received: int, work_since: float = inf) -> None:
        """Measure silence. `received`: how many messages the switch has sent so far.

        `work_since`: since when it has been read or changed as a whole; inf: it is not.
        """
        asked = min(self._groups_asked, work_since)
        if received != self._received or asked == inf:
            self._silent_s = 0.0
        else:
            self._silent_s += min(_LONGEST_TICK_S, now - max(self._ticked_at, asked))
        self._patience_s = SILENT_AFTER_S if work_since == inf else _SILENT_AFTER_WORK_S
        self._ticked_at, self._received = now, received
        is_read_in_turns = self.monitoring is Monitoring.OFF and self._last_read > -inf
        self._is_overdue = is_read_in_turns and self.age_s(now) > _OVERDUE * self.every_s + _LONGEST_TICK_S

    def on_started(self, now: float) -> None:
        if self.monitoring is Monitoring.OFF:
            self._read_due = now  # changes before the monitor began may have been missed
        self.monitoring, self.reason = Monitoring.ON, ""

    def on_refused(self, reason: str) -> None:
        self.monitoring, self.reason = Monitoring.OFF, reason

    def on_reports(self, now: float, *, was_paused: bool, was_resumed: bool) -> None:
        """The specification says that nothing is lost by a pause. Whether that is so is read afterwards."""
        if was_paused:
            self.monitoring = Monitoring.PAUSED
            at_least = self._read_asked + RESUMED_EVERY_S
            self._read_due = min(self._read_due, max(now + READ_EVERY_S, at_least))
        if was_resumed:
            self.monitoring = Monitoring.ON
            self._read_due = min(self._read_due, max(now, self._read_asked + RESUMED_EVERY_S))

    def on_reading(self, now: float) -> None:
        self._read_asked, self._read_due, self._groups_asked = now, inf, inf

    def on_read(self, now: float) -> None:
        """The whole switch was read. Replies keep order, so a monitor without an answer will not get one."""
        if self.monitoring is Monitoring.ASKED:
            self.on_refused("it does not answer the request for a monitor")
        self._last_read, self._is_overdue, self._silent_s = self._read_asked, False, 0.0
        if self.monitoring is not Monitoring.ON:
            took_s = now - self._read_asked
            self.every_s = min(READ_AT_LEAST_EVERY_S, max(READ_EVERY_S, _READ_SHARE * took_s))
            self._read_due = min(self._read_due, now + self.every_s)
        self.awaits_groups, self._groups_due = False, now + GROUPS_EVERY_S

    def read_soon(self, now: float) -> None:
        self._read_due = min(self._read_due, now)

    def is_read_due(self, now: float) -> bool:
        return now >= self._read_due

    def groups_soon(self, now: float, *, is_waited_for: bool = False) -> None:
        """Read groups and meters as soon as possible. `is_waited_for`: repair nothing before."""
        self._groups_due = min(self._groups_due, now)
        self.awaits_groups |= is_waited_for

    def next_turn(self, now: float) -> int:
        """Return the number of a reading of groups and meters that is due; 0: none is."""
        if now < self._groups_due or self._groups_asked < inf:
            return 0
        self.turn += 1
        self._groups_asked, self._groups_due = now, inf
        return self.turn

    def on_groups_read(self, now: float, turn: int) -> bool:
        """Return whether this is the current turn."""
        if turn != self.turn or self._groups_asked == inf:
            return False
        pause_s = max(GROUPS_EVERY_S, _GROUPS_SHARE * (now - self._groups_asked))
        # A hint that came in the meantime may be about a change after this reading.
        self.awaits_groups &= self._groups_due < inf
        self._groups_due, self._groups_asked = min(self._groups_due, now + pause_s), inf
        self._silent_s = 0.0
        return True

    def is_silent(self, now: float, patience_s: float) -> bool:
        """Return whether a reading of groups and meters has had no reply for too long."""
        return now - self._groups_asked >= patience_s
