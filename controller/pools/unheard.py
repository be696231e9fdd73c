"""Members whose health agents are silent. Pure; time is a parameter.

Steering does not depend on it: `Roster.on_tick` takes a silent member out if another agent of its pool
reports.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.pools.members import MemberState, PoolMember

_STOPPED_ON_PURPOSE = (MemberState.DRAINING, MemberState.EMPTY, MemberState.LEAVING)


@dataclass(frozen=True, slots=True)
class UnheardMember:
    """`takes`: it still gets new sessions."""

    pool: str
    name: str
    seconds: float
    takes: bool


def unheard_members(
    now: float, members: Iterable[PoolMember], resting: frozenset[str]
) -> tuple[UnheardMember, ...]:
    """Return the silent members, without those that were drained or removed. `resting`: paths."""
    return tuple(
        UnheardMember(member.pool, member.name, seconds, member.path not in resting)
        for member in members
        if member.state not in _STOPPED_ON_PURPOSE and (seconds := member.unheard_s(now)) is not None
    )
