"""The state of one member, from the facts that are known of it. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class MemberState(StrEnum):
    UP = "up"
    DRAINING = "draining"  # keeps its sessions, gets no new ones
    EMPTY = "empty"  # draining, and its last session has ended: safe to stop
    LEAVING = "leaving"  # no longer in the policy; finishing its sessions
    DOWN = "down"  # its switch port is down or missing


@dataclass(frozen=True, slots=True)
class Member:
    """`sessions` is None while nobody has counted."""

    pool: str
    name: str
    mac: str
    weight: int
    is_drained: bool = False  # an operator said so
    is_leaving: bool = False  # the policy no longer names it
    has_port: bool = True
    sessions: int | None = None

    @property
    def path(self) -> str:
        return f"pools.{self.pool}.members.{self.name}"

    @property
    def state(self) -> MemberState:
        if not self.has_port:
            return MemberState.DOWN
        if self.is_leaving:
            return MemberState.LEAVING
        if not self.is_drained:
            return MemberState.UP
        return MemberState.EMPTY if self.sessions == 0 else MemberState.DRAINING

    @property
    def may_have_sessions(self) -> bool:
        return self.has_port and self.sessions != 0

    @property
    def takes_new_sessions(self) -> bool:
        return self.state is MemberState.UP


@dataclass(frozen=True, slots=True)
class StateChanged:
    member: Member
    before: MemberState
