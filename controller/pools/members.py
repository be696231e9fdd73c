"""The state of one member, from the known facts about it. Pure."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from common.wire.health import CheckKind
from controller.policy.model import PoolHealth
from controller.pools.flap_damping import Damping
from controller.pools.health import Health, Opinion

_ROOM_AGAIN = 0.9  # of the limit
_BESIDE_SESSIONS = {CheckKind.CLAMD, CheckKind.HTTP}  # checks that may fail while the gateway itself answers


class MemberState(StrEnum):
    JOINING = "joining"  # not yet proved healthy; no traffic until it is
    UP = "up"
    STALE = "stale"  # healthy, but its signatures are too old: new sessions only if no fresh member is up
    HELD = "held"  # healthy again, but it went down too often: new sessions only if no better member is up
    FULL = "full"  # at its limit; gets new sessions again below nine tenths of it
    DRAINING = "draining"  # keeps its sessions, gets no new ones
    EMPTY = "empty"  # draining, and its last session has ended: safe to stop
    LEAVING = "leaving"  # no longer in the policy; finishing its sessions
    DOWN = "down"  # its switch port is down or missing, or its reports are bad


@dataclass(frozen=True, slots=True)
class PoolMember:
    """`sessions` is None until they are counted."""

    pool: str
    name: str
    mac: str
    weight: int
    limit: int = 0  # open sessions; 0: no limit
    is_drained: bool = False  # by an operator
    is_leaving: bool = False  # it is no longer in the policy
    has_port: bool = True
    is_port_remembered: bool = False  # from before the controller's start; the switch was not read since
    sessions: int | None = None
    handshakes: int = 0  # begun, but not completed: they become sessions, or end
    is_full: bool = False
    is_probed: bool = False  # an agent reports on it
    health: Health = field(default_factory=Health)
    rules: PoolHealth = field(default_factory=PoolHealth)
    damping: Damping = field(default_factory=Damping)
    is_held: bool = False  # by its damping, at the last check

    @property
    def path(self) -> str:
        return f"pools.{self.pool}.members.{self.name}"

    @property
    def state(self) -> MemberState:
        if not self.has_port or (self.is_probed and self.health.opinion is Opinion.BAD):
            return MemberState.DOWN
        if self.is_leaving:
            return MemberState.LEAVING
        if self.is_drained:
            return MemberState.DRAINING if self._may_have_any else MemberState.EMPTY
        if self.is_probed and self.health.opinion is Opinion.UNKNOWN:
            return MemberState.JOINING
        if self.is_held:
            return MemberState.HELD
        if self.is_full:
            return MemberState.FULL
        return MemberState.STALE if self.is_probed and self.health.stale else MemberState.UP

    @property
    def detail(self) -> str:
        """Return the reason of its state, if there is more to say."""
        if not self.has_port:
            return "its switch port is down or missing"
        if self.state is MemberState.HELD:
            return str(self.damping)
        return self.health.detail or self.health.stale if self.is_probed else ""

    @property
    def is_gone(self) -> bool:
        """Return whether its sessions are half-dead. A scanner's gateway may outlive its clamd."""
        failed = self.health.failed
        has_sessions = self.has_port and failed and _BESIDE_SESSIONS.issuperset(failed)
        return self.state is MemberState.DOWN and not has_sessions

    @property
    def is_out_by_memory(self) -> bool:
        """Return whether only facts from before the controller's start keep it from new sessions."""
        if self.state is MemberState.JOINING:
            return self.health.is_remembered
        is_port_old = self.has_port or self.is_port_remembered
        are_reports_old = self.health.opinion is not Opinion.BAD or self.health.is_remembered
        return self.state is MemberState.DOWN and is_port_old and (are_reports_old or not self.is_probed)

    def unheard_s(self, now: float) -> float | None:
        """Return for how many seconds its agent has been silent, if that is too long; else None."""
        return self.health.unheard_s(now, self.rules) if self.is_probed else None

    @property
    def may_have_sessions(self) -> bool:
        return self.has_port and self._may_have_any

    @property
    def _may_have_any(self) -> bool:
        """A real client may be about to complete a handshake; a forged one ends within two minutes."""
        return self.sessions != 0 or self.handshakes > 0

    def on_count(self, sessions: int, handshakes: int = 0) -> "PoolMember":
        """Record a count. A full member stays full until it has enough room again."""
        enough = self.limit * _ROOM_AGAIN if self.is_full else self.limit
        is_full = self.limit > 0 and sessions >= enough
        return replace(self, sessions=sessions, handshakes=handshakes, is_full=is_full)


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The state is another one, or it is still down and the sessions, which had stayed, are lost as well."""

    member: PoolMember
    before: MemberState
    hold_s: float = 0.0  # it went down too often: how long it is held down


# The members of a pool that take new sessions: those with the first of these states that any member has.
BY_RANK = (MemberState.UP, MemberState.STALE, MemberState.HELD, MemberState.FULL)
