"""Watches the sessions that the switches know: counts them, and sees to those whose other end is gone.

Each watcher is a green thread of its own. What it finds is handed to the runtime's
queue; the lists themselves never are.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ryu.lib import hub

from apps.conntrack import ConntrackError, dump_connections
from common.journal.journal import Journal
from controller.policy.model import Address
from controller.pools.conntrack import (
    LOOK_S,
    Counts,
    count_sessions,
    open_by_source,
    pause_after,
    read_connections,
    without_ended,
)
from controller.pools.members import MemberState
from controller.pools.orphans import lost
from controller.runtime import Channel, Runtime
from controller.suspicion.floods import AT_ONCE
from controller.telemetry.events import ControllerEvent as Event

_CUT_S = 0.05
_PATIENCE = 20  # steps of `_CUT_S`
_WAKE_UP_AT_ONCE = 200
_FINISHING = (MemberState.DRAINING, MemberState.LEAVING)


class SessionWatch:
    """`ask` has the runtime's loop do some work, and returns what came of it."""

    def __init__(
        self, runtime: Runtime, ask: Callable[[Any], Any], switch_control: str, journal: Journal
    ) -> None:
        self._runtime = runtime
        self._ask = ask
        self._switch_control = switch_control
        self._journal = journal
        self._why_not_listed = ""
        self._last_seen: list[str] = []  # sessions, as the switches told
        self._before: dict[int, list[str]] = {}  # what was known of them when a switch went away, by dpid

    def count(self) -> Counts | None:
        """Return what members of pools have; None if the switches do not tell."""
        lines = self._list()
        return None if lines is None else count_sessions(lines)

    def lose(self, runtime: Runtime, dpid: int, channel: Channel) -> None:
        """A switch has gone; should it have forgotten its sessions when it is back, we have not."""
        runtime.on_disconnected(dpid, channel)
        self._before.setdefault(dpid, self._last_seen)

    def look(self) -> None:
        """Remember sessions, lest a switch forgets; count them where somebody may be empty now, or full."""
        pause_s = LOOK_S
        while True:
            hub.sleep(pause_s)
            listed = self._list()
            if listed is None:
                continue
            lines = without_ended(listed)
            pause_s = pause_after(len(listed), len(lines))
            self._last_seen = lines
            if many := open_by_source(lines, AT_ONCE):
                self._ask(partial(_note_many, many=many))
            if any(each.limit or each.state in _FINISHING for each in self._runtime.roster.members):
                counts = count_sessions(lines)
                self._ask(partial(Runtime.on_counts, now=time.monotonic(), counts=counts))

    def cut_departed(self) -> None:
        """Cut the sessions of members that are gone, once the switches choose others for new ones."""
        departures, switches = self._runtime.departures, self._runtime.switches
        while True:
            hub.sleep(_CUT_S)
            for _ in range(_PATIENCE):
                if departures.is_pending and not switches.is_in_step:
                    hub.sleep(_CUT_S)
            if not departures.is_pending:
                continue
            if (lines := self._list()) is None:
                hub.sleep(LOOK_S)
                continue
            known = list(read_connections(lines))
            told = self._ask(lambda runtime, known=known: runtime.departures.cut(known))
            hub.sleep(_CUT_S)  # the switches must have forgotten before anybody is woken up
            self._ask(partial(Runtime.wake_up, connections=told))

    def cut_decided(self) -> None:
        """Cut the open sessions of sources about which it was decided so, once the switches know it."""
        suspicion, switches = self._runtime.suspicion, self._runtime.switches
        while True:
            hub.sleep(_CUT_S)
            if not suspicion.to_cut or not switches.is_settled:
                continue
            if (lines := self._list()) is None:
                hub.sleep(LOOK_S)
                continue
            known = list(read_connections(lines))
            cut = self._ask(lambda runtime, known=known: runtime.suspicion.cut(known))
            hub.sleep(_CUT_S)
            self._ask(partial(Runtime.wake_up, connections=cut))

    def wake_forgotten(self) -> None:
        """Tell whoever has a session that a switch has forgotten, once it has its flows again."""
        while True:
            hub.sleep(_CUT_S)
            for dpid in [each for each in self._before if self._runtime.switches.is_back(each)]:
                self._wake_forgotten_of(dpid)

    def _wake_forgotten_of(self, dpid: int) -> None:
        before = read_connections(self._before.pop(dpid))
        if (lines := self._list()) is None:
            return
        forgotten = lost(dpid, before, read_connections(lines))
        self._ask(lambda runtime: runtime.departures.note_forgotten(dpid, forgotten))
        for first in range(0, len(forgotten), _WAKE_UP_AT_ONCE):
            some = forgotten[first : first + _WAKE_UP_AT_ONCE]
            self._ask(partial(Runtime.wake_up, connections=some))
            hub.sleep(_CUT_S)

    def _list(self) -> list[str] | None:
        try:
            return dump_connections(self._switch_control)
        except ConntrackError as error:
            if str(error) != self._why_not_listed:
                self._why_not_listed = str(error)
                self._journal.write(Event.SESSIONS_NOT_COUNTED, reason=str(error))
            return None


def _note_many(runtime: Runtime, many: Mapping[Address, int]) -> None:
    if runtime.accepted is not None:
        runtime.suspicion.on_connections(time.monotonic(), time.time(), many)
