"""Handles the commands of the session watch."""

from controller.pools.conntrack import Connection
from controller.pools.members import MemberState
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
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore
from controller.runtime.handlers.base import Handlers

_FINISHING = (MemberState.DRAINING, MemberState.LEAVING)


def read_session_work(core: RuntimeCore, command: ReadSessionWork, context: Context) -> SessionWork:
    switches = core.switches
    has_decided = bool(core.suspicion.to_cut) and core.is_caught_up and switches.is_settled
    back = frozenset(dpid for dpid in command.away if switches.is_back(dpid))
    is_in_step = core.is_caught_up and switches.is_in_step
    return SessionWork(core.orphans.is_pending, is_in_step, has_decided, back)


def read_counts_wanted(core: RuntimeCore, command: ReadCountsWanted, context: Context) -> bool:
    return any(member.limit or member.state in _FINISHING for member in core.roster.members)


def note_connections(core: RuntimeCore, command: NoteConnections, context: Context) -> None:
    if core.accepted is not None:
        core.suspicion.on_connections(context.now, context.utc, command.open_by_source)


def cut_orphans(core: RuntimeCore, command: CutOrphans, context: Context) -> tuple[Connection, ...]:
    return core.orphans.cut(command.connections)


def cut_decided(core: RuntimeCore, command: CutDecided, context: Context) -> tuple[Connection, ...]:
    return core.suspicion.cut(command.connections)


def note_forgotten(core: RuntimeCore, command: NoteForgotten, context: Context) -> None:
    core.orphans.note_forgotten(command.dpid, command.connections)


def wake_up(core: RuntimeCore, command: WakeUp, context: Context) -> None:
    core.wake_up(command.connections)


HANDLERS: Handlers = {
    ReadSessionWork: read_session_work,
    ReadCountsWanted: read_counts_wanted,
    NoteConnections: note_connections,
    CutOrphans: cut_orphans,
    CutDecided: cut_decided,
    NoteForgotten: note_forgotten,
    WakeUp: wake_up,
}
