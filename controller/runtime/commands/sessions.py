"""Commands of the session watch: what is due about open sessions, and what it found."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.policy.model import Address
from controller.pools.conntrack import Connection
from controller.runtime.commands.base import Command


@dataclass(frozen=True, slots=True)
class SessionWork:
    """What is due. `has_orphans`: there are sessions of members that are gone, to be ended; `is_in_step`: the
    switches choose other members for new ones. `has_decided`: there are sessions that decisions end, and the
    switches know the decisions. `back`: which of the given dpids have their flows again.
    """

    has_orphans: bool
    is_in_step: bool
    has_decided: bool
    back: frozenset[int]


@dataclass(frozen=True, slots=True)
class ReadSessionWork(Command[SessionWork]):
    """`away`: dpids of switches that were disconnected."""

    away: frozenset[int]


@dataclass(frozen=True, slots=True)
class ReadCountsWanted(Command[bool]):
    """Return whether sessions must be counted, because a member has a limit or is finishing its sessions."""


@dataclass(frozen=True, slots=True)
class NoteConnections(Command[None]):
    """Record the connection counts of sources with very many connections."""

    open_by_source: Mapping[Address, int]


@dataclass(frozen=True, slots=True)
class CutOrphans(Command[tuple[Connection, ...]]):
    """Make the switches forget sessions of members that are gone; return those whose initiator to wake up."""

    connections: tuple[Connection, ...]


@dataclass(frozen=True, slots=True)
class CutDecided(Command[tuple[Connection, ...]]):
    """Make the switches forget the sessions that decisions end; return them."""

    connections: tuple[Connection, ...]


@dataclass(frozen=True, slots=True)
class NoteForgotten(Command[None]):
    """A restarted switch has forgotten these connections."""

    dpid: int
    connections: tuple[Connection, ...]


@dataclass(frozen=True, slots=True)
class WakeUp(Command[None]):
    """Make the initiators of forgotten connections send a packet, which is answered or reset."""

    connections: tuple[Connection, ...]
