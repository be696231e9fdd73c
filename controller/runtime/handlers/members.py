"""Handles the commands about pools and their members."""

from collections import Counter

from common.wire.health import AgentSettings
from controller.hosts.health_agents import settings_for
from controller.hosts.render import Settings
from controller.pools.members import PoolMember
from controller.pools.roster import Roster
from controller.runtime.commands.members import (
    DrainMember,
    ListPools,
    MemberHeard,
    MemberShare,
    NoteCounts,
    PoolStatus,
    ReadAgentSettings,
    ReadPoolSettings,
    ReportMember,
)
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore
from controller.runtime.handlers.base import Handlers


def drain_member(core: RuntimeCore, command: DrainMember, context: Context) -> PoolMember:
    return core.members.drain(context.now, command.member, command.is_drained, context.by)


def report_member(core: RuntimeCore, command: ReportMember, context: Context) -> MemberHeard:
    member = core.members.on_report(context.now, command.member, command.report)
    return MemberHeard(member, _agent_settings(core, member))


def read_agent_settings(core: RuntimeCore, command: ReadAgentSettings, context: Context) -> AgentSettings:
    return _agent_settings(core, core.roster.find(command.member))


def read_pool_settings(core: RuntimeCore, command: ReadPoolSettings, context: Context) -> Settings | None:
    return core.settings_by_pool.get(command.pool)


def note_counts(core: RuntimeCore, command: NoteCounts, context: Context) -> None:
    core.members.on_counts(context.now, command.counts)


def list_pools(core: RuntimeCore, command: ListPools, context: Context) -> tuple[PoolStatus, ...]:
    if core.accepted is None:
        return ()
    troubles, shares = core.in_force.empty_pools.troubles, _share_percent(core.roster)
    return tuple(
        PoolStatus(
            pool.name,
            pool.kind.value,
            tuple(line for each in troubles if each.pool == pool.name for line in each.lines),
            tuple(
                MemberShare(each, shares[each.path]) for each in core.roster.members if each.pool == pool.name
            ),
        )
        for pool in core.accepted.policy.pools
    )


def _share_percent(roster: Roster) -> dict[str, int]:
    """Return each member's share of its pool's new sessions, by path."""
    shares = roster.shares
    weights = {member.path: shares.get(member.path, member.weight) for member in roster.members}
    whole = Counter[str]()
    for member in roster.members:
        whole[member.pool] += weights[member.path]
    return {each.path: round(100 * weights[each.path] / (whole[each.pool] or 1)) for each in roster.members}


def _agent_settings(core: RuntimeCore, member: PoolMember) -> AgentSettings:
    assert core.accepted is not None  # where there are members, there is a policy
    policy = core.accepted.policy
    return settings_for(policy, next(pool for pool in policy.pools if pool.name == member.pool))


HANDLERS: Handlers = {
    DrainMember: drain_member,
    ReportMember: report_member,
    ReadAgentSettings: read_agent_settings,
    ReadPoolSettings: read_pool_settings,
    NoteCounts: note_counts,
    ListPools: list_pools,
}
