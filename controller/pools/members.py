"""The state of one member, from the facts that are known of it. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class MemberState(StrEnum):
    UP = "up"
    DRAINING = "draining"  # keeps its sessions, gets no new ones
    EMPTY = "empty"  # draining, and its last session has ended: safe to stop
    DOWN = "down"  # its switch port is down or missing


@dataclass(frozen=True, slots=True)
class Member:
    """`sessions` is None while nobody has counted."""

    pool: str
    name: str
    mac: str
    weight: int
    is_drained: bool = False  # an operator said so
    has_port: bool = True
    sessions: int | None = None

    @property
    def path(self) -> str:
        return f"pools.{self.pool}.members.{self.name}"

    @property
    def state(self) -> MemberState:
        if not self.has_port:
            return MemberState.DOWN
        if not self.is_drained:
            return MemberState.UP
        return MemberState.EMPTY if self.sessions == 0 else MemberState.DRAINING

    @property
    def takes_new_sessions(self) -> bool:
        return self.state is MemberState.UP


@dataclass(frozen=True, slots=True)
class StateChanged:
    member: Member
    before: MemberState
