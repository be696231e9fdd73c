"""Decides which open sessions to count, to end and to wake up. Pure, over two ports: commands and a list.

A restarted switch has forgotten its sessions, so the last list of them is remembered. Nothing here waits:
`look` and `care` return the seconds until they must be called again.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from controller.pools.conntrack import (
    LOOK_S,
    Connection,
    Counts,
    count_sessions,
    open_by_source,
    pause_after,
    read_connections,
    without_ended,
)
from controller.pools.orphans import lost
from controller.runtime.commands.base import Command
from controller.runtime.commands.members import NoteCounts
from controller.runtime.commands.sessions import (
    CutDecided,
    CutOrphans,
    NoteConnections,
    NoteForgotten,
    ReadCountsWanted,
    ReadSessionWork,
    SessionWork,
    WakeUp,
)
from controller.suspicion.floods import AT_ONCE

R = TypeVar("R")
CARE_S = 0.05
_PATIENCE = 20  # how many calls of `care` orphans wait for switches that are not in step
_WAKE_UP_AT_ONCE = 200
Connections = tuple[Connection, ...]


class CommandPort(Protocol):
    """Makes the runtime execute a command on the controller's behalf."""

    def __call__(self, command: Command[R], /) -> R: ...


class SessionWatch:
    """`list_sessions` returns a line for each connection that switches know; None: they cannot be listed."""

    def __init__(self, ask: CommandPort, list_sessions: Callable[[], Sequence[str] | None]) -> None:
        self._ask = ask
        self._list = list_sessions
        self._last_seen: Sequence[str] = ()
        self._before: dict[int, Sequence[str]] = {}  # what was known when a switch went away, by dpid
        self._patience = _PATIENCE
        self._to_wake: deque[Connections] = deque()  # one batch for each call of `care`

    def count(self) -> Counts | None:
        """Count the open sessions of pool members; None if sessions cannot be listed."""
        lines = self._list()
        return None if lines is None else count_sessions(lines)

    def on_disconnected(self, dpid: int) -> None:
        """A switch has disconnected, and the runtime knows; it may come back without its sessions."""
        self._before.setdefault(dpid, self._last_seen)

    def look(self) -> float:
        """Remember the open sessions, and count them if a member may be empty or full."""
        listed = self._list()
        if listed is None:
            if self._ask(ReadCountsWanted()):
                self._ask(NoteCounts(None))
            return LOOK_S
        lines = self._last_seen = without_ended(listed)
        if many := open_by_source(lines, AT_ONCE):
            self._ask(NoteConnections(many))
        if self._ask(ReadCountsWanted()):
            self._ask(NoteCounts(count_sessions(lines)))
        return pause_after(len(listed), len(lines))

    def care(self) -> float:
        """End sessions that are orphaned or that a decision ends; wake up initiators of forgotten ones.

        A batch is woken up with the next call: the switches must have forgotten its sessions first.
        """
        if self._to_wake:
            self._ask(WakeUp(self._to_wake.popleft()))
        work = self._ask(ReadSessionWork(frozenset(self._before)))
        must_cut = self._is_patience_over(work)
        if not (must_cut or work.has_decided or work.back):
            return CARE_S
        before = [(dpid, self._before.pop(dpid)) for dpid in sorted(work.back)]
        lines = self._list()
        if lines is None:
            return LOOK_S
        known = tuple(read_connections(lines))
        if must_cut:
            self._wake_next(self._ask(CutOrphans(known)))
        if work.has_decided:
            self._wake_next(self._ask(CutDecided(known)))
        for dpid, sessions in before:
            self._note_forgotten(dpid, lost(dpid, read_connections(sessions), known))
        return CARE_S

    def _is_patience_over(self, work: SessionWork) -> bool:
        """Return whether to end orphans: when the switches choose other members, or after a short wait."""
        self._patience = self._patience - 1 if work.has_orphans else _PATIENCE
        return work.has_orphans and (work.is_in_step or self._patience < 0)

    def _wake_next(self, connections: Connections) -> None:
        if connections:
            self._to_wake.appendleft(connections)

    def _note_forgotten(self, dpid: int, connections: Connections) -> None:
        self._ask(NoteForgotten(dpid, connections))
        self._to_wake.extend(_batches(connections))


def _batches(connections: Connections) -> Iterable[Connections]:
    starts = range(0, len(connections), _WAKE_UP_AT_ONCE)
    return (connections[first : first + _WAKE_UP_AT_ONCE] for first in starts)
