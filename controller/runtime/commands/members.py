"""Commands about pools and their members."""

from dataclasses import dataclass

from common.wire.health import AgentSettings, HealthReport
from controller.hosts.render import Settings
from controller.pools.conntrack import Counts
from controller.pools.members import PoolMember
from controller.runtime.commands.base import Change, Command


@dataclass(frozen=True, slots=True)
class MemberHeard:
    """`agent`: what the member's health agent must check."""

    member: PoolMember
    agent: AgentSettings


@dataclass(frozen=True, slots=True)
class MemberShare:
    """`share_percent`: of its pool's new sessions."""

    member: PoolMember
    share_percent: int


@dataclass(frozen=True, slots=True)
class PoolStatus:
    name: str
    kind: str
    troubles: tuple[str, ...]
    members: tuple[MemberShare, ...]


@dataclass(frozen=True, slots=True)
class DrainMember(Change[PoolMember]):
    """Stop or resume new sessions for a member (`NAME` or `POOL.NAME`).

    Raises `UnknownMember` or `StoreError`; nothing has changed in that case.
    """

    member: str
    is_drained: bool

    @property
    def subject(self) -> str:
        return f"{'drain' if self.is_drained else 'resume'} {self.member}"


@dataclass(frozen=True, slots=True)
class ReportMember(Command[MemberHeard]):
    """Record an agent's report on a member. Raises `UnknownMember`."""

    member: str
    report: HealthReport


@dataclass(frozen=True, slots=True)
class ReadAgentSettings(Command[AgentSettings]):
    """Return what a member's health agent must check. Raises `UnknownMember`."""

    member: str


@dataclass(frozen=True, slots=True)
class ReadPoolSettings(Command[Settings | None]):
    """Return the settings that are published for the hosts of a pool. None: there are none."""

    pool: str


@dataclass(frozen=True, slots=True)
class ListPools(Command[tuple[PoolStatus, ...]]):
    """List every pool with its members, in the policy's order."""


@dataclass(frozen=True, slots=True)
class NoteCounts(Command[None]):
    """Record how many sessions members have open, from the switches' conntrack. None: it is not known."""

    counts: Counts | None
