"""Takes up what happens to members of pools, and reports it in the journal."""

from dataclasses import replace

from common.wire.health import HealthReport
from controller.pools.conntrack import Counts
from controller.pools.members import PoolMember, StateChanged
from controller.pools.removed_members import without_members
from controller.runtime.accepted import Accepted
from controller.runtime.backlog import Backlog
from controller.runtime.dependencies import RuntimeDependencies
from controller.runtime.in_force import InForce
from controller.runtime.orphans import OrphanedSessions
from controller.runtime.principals import CONTROLLER, Principal
from controller.runtime.switch_record import SwitchRecord
from controller.telemetry.events import ControllerEvent


class MemberWatch:
    """The members are in the roster of what is in force; this notes changes that concern the switches."""

    def __init__(
        self, outside: RuntimeDependencies, in_force: InForce, orphans: OrphanedSessions, backlog: Backlog
    ) -> None:
        self._store, self._journal = outside.store, outside.journal
        self._in_force, self._orphans, self._backlog = in_force, orphans, backlog

    def drain(self, now: float, name: str, is_drained: bool, by: Principal) -> PoolMember:
        """Stop or resume new sessions for a member; it keeps those it has.

        Raise `UnknownMember` or `StoreError`; nothing has changed in that case.
        """
        roster = self._in_force.roster
        member = roster.find(name)
        self._store.set_drained(member.path, is_drained)
        self._on_changes(now, roster.on_drained(now, member.path, is_drained), by)
        return roster.find(member.path)

    def on_report(self, now: float, name: str, report: HealthReport) -> PoolMember:
        """Record an agent's report on a member. Raise `UnknownMember`."""
        roster = self._in_force.roster
        member = roster.find(name)
        self._on_changes(now, roster.on_report(now, member.path, report))
        return roster.find(member.path)

    def on_counts(self, now: float, counts: Counts | None) -> None:
        """Record how many sessions members have open, from the switches' conntrack; None: it is not known."""
        roster, accepted = self._in_force.roster, self._in_force.accepted
        self._on_changes(now, roster.on_counts(now, counts))
        gone = {each.path for each in roster.members if each.is_leaving and not each.may_have_sessions}
        if gone and accepted is not None:
            self._let_go(now, accepted, gone)

    def on_ports(self, now: float, record: SwitchRecord) -> None:
        """A switch has reported its ports, and whether that is urgent has been noted."""
        changes = self._in_force.roster.on_ports(now, record.name, record.ports_up)
        self._on_changes(now, changes, is_urgent=False)

    def on_tick(self, now: float) -> None:
        self._on_changes(now, self._in_force.roster.on_tick(now))

    def _let_go(self, now: float, accepted: Accepted, gone: set[str]) -> None:
        """Remove members that have finished their sessions from the switches."""
        for path in sorted(gone):
            self._journal.write(ControllerEvent.MEMBER_LEFT, member=path)
        roster = self._in_force.roster
        carried = without_members(accepted.policy, gone)
        leaving = {each.path for each in roster.members if each.is_leaving} - gone
        roster.on_policy(carried, self._store.drained(), leaving, now=now)
        self._in_force.recompile(now, replace(accepted, policy=carried))

    def _on_changes(
        self,
        now: float,
        changes: tuple[StateChanged, ...],
        by: Principal = CONTROLLER,
        is_urgent: bool = True,
    ) -> None:
        for change in changes:
            self._tell(change, by)
            self._orphans.note(change.member)
        self._backlog.note(now, is_urgent=is_urgent)  # even without a change: shares also grow with time

    def _tell(self, change: StateChanged, by: Principal) -> None:
        member = change.member
        self._journal.write(
            ControllerEvent.MEMBER_CHANGED,
            pool=member.pool,
            member=member.name,
            state=member.state.value,
            before=change.before.value,
            sessions=member.sessions,
            detail=member.detail,
            by=str(by),
        )
        if change.hold_s:
            self._journal.write(
                ControllerEvent.MEMBER_HELD_DOWN,
                pool=member.pool,
                member=member.name,
                seconds=change.hold_s,
                reason=str(member.damping),
            )
