"""The state of one member, from the facts that are known of it. Pure."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from controller.pools.health import Health, Opinion

_ROOM_AGAIN = 0.9  # of the limit


class MemberState(StrEnum):
    JOINING = "joining"  # not yet proved well; no traffic until it is
    UP = "up"
    FULL = "full"  # at its limit; gets new sessions again below nine tenths of it
    DRAINING = "draining"  # keeps its sessions, gets no new ones
    EMPTY = "empty"  # draining, and its last session has ended: safe to stop
    LEAVING = "leaving"  # no longer in the policy; finishing its sessions
    DOWN = "down"  # its switch port is down or missing, or its reports are bad


@dataclass(frozen=True, slots=True)
class Member:
    """`sessions` is None while nobody has counted."""

    pool: str
    name: str
    mac: str
    weight: int
    limit: int = 0  # open sessions; 0: no limit
    is_drained: bool = False  # an operator said so
    is_leaving: bool = False  # the policy no longer names it
    has_port: bool = True
    sessions: int | None = None
    is_full: bool = False
    is_probed: bool = False  # an agent reports on it
    health: Health = field(default_factory=Health)

    @property
    def path(self) -> str:
        return f"pools.{self.pool}.members.{self.name}"

    @property
    def state(self) -> MemberState:
        if not self.has_port or (self.is_probed and self.health.opinion is Opinion.BAD):
            return MemberState.DOWN
        if self.is_leaving:
            return MemberState.LEAVING
        if not self.is_drained:
            is_proved = not self.is_probed or self.health.opinion is Opinion.GOOD
            if not is_proved:
                return MemberState.JOINING
            return MemberState.FULL if self.is_full else MemberState.UP
        return MemberState.EMPTY if self.sessions == 0 else MemberState.DRAINING

    @property
    def is_gone(self) -> bool:
        """Say whether its sessions are half-dead. A scanner's gateway outlives its clamd."""
        return self.state is MemberState.DOWN and not (
            self.has_port and self.health.detail.startswith("clamd")
        )

    @property
    def may_have_sessions(self) -> bool:
        return self.has_port and self.sessions != 0

    @property
    def takes_new_sessions(self) -> bool:
        return self.state is MemberState.UP

    def on_count(self, sessions: int) -> "Member":
        """Take a count in. Who is full stays so until there is room worth talking about."""
        enough = self.limit * _ROOM_AGAIN if self.is_full else self.limit
        return replace(self, sessions=sessions, is_full=self.limit > 0 and sessions >= enough)


@dataclass(frozen=True, slots=True)
class StateChanged:
    member: Member
    before: MemberState
