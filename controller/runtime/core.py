"""Owns the accepted policy, and passes each fact to the part that it concerns.

Knows neither OpenFlow's bytes nor HTTP nor a framework: channels, encoder, store,
journal and clock are passed in, and time is a parameter. Handlers of commands work on it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from common.config.errors import ConfigErrors
from common.journal.journal import Journal
from common.wire.health import HealthReport
from controller.compiler.compile import compile_policy
from controller.compiler.errors import CompileError
from controller.compiler.network_state import ALL_IS_WELL, Conditions
from controller.hosts.render import Settings, render_gateways
from controller.pipeline.flows import SwitchState
from controller.policy.model import Policy, PortRef
from controller.policy.parse import parse_policy
from controller.pools.conntrack import Connection, Counts
from controller.pools.health import trusted
from controller.pools.members import PoolMember, StateChanged
from controller.pools.removed_members import member_paths, with_leaving, without_members
from controller.pools.roster import Roster
from controller.runtime.accepted import Accepted
from controller.runtime.antivirus import AntivirusFleet
from controller.runtime.commands.policy import PolicyRevision
from controller.runtime.context import Clock
from controller.runtime.empty_pools import EmptyPools
from controller.runtime.encoding import Encoder
from controller.runtime.floods import FloodWatch
from controller.runtime.orphans import OrphanedSessions
from controller.runtime.principals import CONTROLLER, Principal
from controller.runtime.suspicion import DecisionKeeper
from controller.runtime.switches import Channel, Switches
from controller.runtime.tokens import Tokens
from controller.runtime.trunks import TrunkWatch
from controller.store import Store, StoreError
from controller.sync.outcomes import Outcome
from controller.sync.plan import Plan, difference
from controller.sync.state import WireState
from controller.telemetry.events import ControllerEvent
from controller.topology.homes import moved_homes


@dataclass(frozen=True, slots=True)
class RuntimeDependencies:
    """Everything outside the runtime, passed in once, at start."""

    encoder: Encoder
    publish: Callable[[Mapping[str, Settings]], None]  # may raise OSError
    store: Store
    journal: Journal
    clock: Clock


class RuntimeCore:
    """Raise `ConfigErrors`, `CompileError` or `StoreError` from `submit`; nothing changes then."""

    def __init__(self, dependencies: RuntimeDependencies) -> None:
        self._outside = dependencies
        self.accepted: Accepted | None = None
        self.roster = Roster()
        self.switches = Switches(dependencies.journal)
        self.trunks = TrunkWatch(dependencies.journal, self.switches)
        self.orphans = OrphanedSessions(dependencies.journal, self.switches)
        self.tokens = Tokens(dependencies.store)
        self.empty_pools = EmptyPools(dependencies.journal)
        self.suspicion = DecisionKeeper(
            dependencies.store, dependencies.journal, self.switches, dependencies.encoder
        )
        self.antivirus = AntivirusFleet(dependencies.store, dependencies.journal)
        self.floods = FloodWatch(dependencies.journal, self.switches)
        self.settings_by_pool: Mapping[str, Settings] = {}
        self._compiled_for = ALL_IS_WELL

    @property
    def revision(self) -> int:
        """Return the revision of the policy in force; 0: there is none yet."""
        return self.accepted.revision if self.accepted else 0

    def start(self, now: float, utc: float, file: str, text: str) -> None:
        """Load the policy from the operator's file, or the last good one if the file is not valid."""
        self._outside.journal.write(ControllerEvent.CONTROLLER_STARTED, policy=file)
        last = self._outside.store.last_policy()
        self.suspicion.load(now, utc)
        self.antivirus.load(now)
        try:
            self.submit(now, file, text, CONTROLLER)
        except (ConfigErrors, CompileError) as error:
            if last is None:
                raise
            self._outside.journal.write(
                ControllerEvent.LAST_GOOD_POLICY_KEPT, revision=last.revision, reason=str(error)
            )
            kept = PolicyRevision(last.revision, last.file)
            self._take_up(now, kept, *self._prepare(last.file, last.text), CONTROLLER)

    def submit(self, now: float, file: str, text: str, by: Principal) -> Accepted:
        """Check, compile, store and apply a policy; return it with its revision."""
        try:
            policy, states = self._prepare(file, text)
            new = PolicyRevision(self._outside.store.accept_policy(file, text).revision, file)
        except (ConfigErrors, CompileError, StoreError) as error:
            self._outside.journal.write(
                ControllerEvent.POLICY_REFUSED, file=file, reason=str(error), by=str(by)
            )
            raise
        return self._take_up(now, new, policy, states, by)

    def drain(self, now: float, name: str, is_drained: bool, by: Principal) -> PoolMember:
        """Stop or resume new sessions for a member; it keeps those it has.

        Raise `UnknownMember` or `StoreError`; nothing has changed in that case.
        """
        member = self.roster.find(name)
        self._outside.store.set_drained(member.path, is_drained)
        self._on_members(now, self.roster.on_drained(now, member.path, is_drained), by)
        return self.roster.find(member.path)

    def on_report(self, now: float, name: str, report: HealthReport) -> PoolMember:
        """Record an agent's report on a member. Raise `UnknownMember`."""
        member = self.roster.find(name)
        self._on_members(now, self.roster.on_report(now, member.path, report))
        return self.roster.find(member.path)

    def on_counts(self, now: float, counts: Counts) -> None:
        """Record how many sessions members have open, from the switches' conntrack."""
        self._on_members(now, self.roster.on_counts(now, counts))
        gone = {each.path for each in self.roster.members if each.is_leaving and not each.may_have_sessions}
        if gone and self.accepted is not None:
            self._let_go(now, self.accepted, gone)

    def _let_go(self, now: float, accepted: Accepted, gone: set[str]) -> None:
        """Remove members that have finished their sessions from the switches."""
        for path in sorted(gone):
            self._outside.journal.write(ControllerEvent.MEMBER_LEFT, member=path)
        carried = without_members(accepted.policy, gone)
        leaving = {each.path for each in self.roster.members if each.is_leaving} - gone
        self.roster.on_policy(carried, self._outside.store.drained(), leaving, now=now)
        self._rebalance(now, replace(accepted, policy=carried))

    def _on_members(self, now: float, changes: tuple[StateChanged, ...], by: Principal = CONTROLLER) -> None:
        for change in changes:
            self._outside.journal.write(
                ControllerEvent.MEMBER_CHANGED,
                pool=change.member.pool,
                member=change.member.name,
                state=change.member.state.value,
                before=change.before.value,
                sessions=change.member.sessions,
                detail=change.member.detail,
                by=str(by),
            )
            self.orphans.note(change.member)
            if change.hold_s:
                self._outside.journal.write(
                    ControllerEvent.MEMBER_HELD_DOWN,
                    pool=change.member.pool,
                    member=change.member.name,
                    seconds=change.hold_s,
                    reason=str(change.member.damping),
                )
        # Even without a change: shares also grow with time.
        self._rebalance_if_changed(now)

    def wake_up(self, connections: Iterable[Connection]) -> None:
        """Make initiators of forgotten connections send a packet, which is answered or reset."""
        if self.accepted is not None:
            self.orphans.wake_up(self.accepted.policy, connections)

    def _rebalance_if_changed(self, now: float) -> None:
        if self.accepted is not None and self._conditions(self.accepted.policy) != self._compiled_for:
            self._rebalance(now, self.accepted)

    def _rebalance(self, now: float, accepted: Accepted) -> None:
        """Recompile the same policy, so that new sessions go to the members that take them now."""
        states = self._compile(accepted.policy)
        self._set_desired(now, replace(accepted, states=states, wires=self._encode(states)))

    def preview(self, file: str, text: str) -> tuple[Policy, Mapping[str, SwitchState]]:
        """Check and compile a policy without applying it."""
        return self._prepare(file, text)

    def plan_for(self, name: str, desired: SwitchState) -> Plan:
        """Return what would be sent to a switch if `desired` were accepted."""
        record = self.switches.by_name().get(name)
        return difference(
            self._outside.encoder.state(desired), record.session.installed if record else WireState()
        )

    def on_outcome(self, now: float, dpid: int, channel: Channel, outcome: Outcome) -> None:
        record = self.switches.find(dpid, channel)
        if record is None or not self.switches.on_outcome(now, record, outcome):
            return
        if self.accepted is not None:
            self.switches.check_ports(self.accepted.policy)
        self._on_members(now, self.roster.on_ports(now, record.name, record.ports_up))

    def on_probe(self, now: float, dpid: int, channel: Channel, port: int, origin: PortRef) -> None:
        """A switch has received the probe that another one sent out of `origin`."""
        if record := self.switches.find(dpid, channel):
            self.trunks.on_heard(now, PortRef(record.name, port), origin)

    def on_tick(self, now: float) -> None:
        if self.accepted is not None:
            self.trunks.on_tick(now, self.accepted.policy)
        self._on_members(now, self.roster.on_tick(now))
        self.suspicion.on_tick(now)
        if self.accepted is not None:
            self.floods.on_tick(now, self.accepted.policy)
        self.antivirus.on_tick(now)
        self.switches.on_tick(now)

    def _prepare(self, file: str, text: str) -> tuple[Policy, Mapping[str, SwitchState]]:
        policy = parse_policy(text, file)
        return policy, compile_policy(policy)

    def _take_up(
        self,
        now: float,
        new: PolicyRevision,
        policy: Policy,
        states: Mapping[str, SwitchState],
        by: Principal,
    ) -> Accepted:
        carried = self._with_leaving(now, policy)
        self._compiled_for = ALL_IS_WELL  # as `states` were
        if self._conditions(carried) != ALL_IS_WELL or carried is not policy:
            states = self._compile(carried)
        self._publish(policy, new.revision)
        self._outside.journal.write(
            ControllerEvent.POLICY_ACCEPTED, revision=new.revision, file=new.file, by=str(by)
        )
        for text in moved_homes(self.accepted.policy, policy) if self.accepted else ():
            self._outside.journal.write(ControllerEvent.HOME_MOVED, reason=text)
        self.switches.match(now, policy)
        self.suspicion.on_policy(now, policy)
        self.antivirus.on_policy(policy)
        return self._set_desired(now, Accepted(new.revision, new.file, carried, states, self._encode(states)))

    def _compile(self, policy: Policy) -> Mapping[str, SwitchState]:
        self._compiled_for = self._conditions(policy)
        return compile_policy(policy, self._compiled_for)

    def _conditions(self, policy: Policy) -> Conditions:
        broken = frozenset(self.trunks.broken | set(self.switches.ports_down(policy)))
        return Conditions(self.roster.shares, broken, self.roster.unready)

    def _with_leaving(self, now: float, policy: Policy) -> Policy:
        """Return what is in force: the policy, and removed members that still have sessions to finish."""
        # The last count may be old, so every reachable member stays until the next one.
        reachable = {each.path for each in self.roster.members if each.has_port}
        carried = policy
        if self.accepted is not None:
            carried = with_leaving(policy, self.accepted.policy, reachable.__contains__)
        leaving = member_paths(carried) - member_paths(policy)
        newcomer = trusted(now) if self.accepted is None else None
        self.roster.on_policy(carried, self._outside.store.drained(), leaving, newcomer, now)
        return carried if leaving else policy

    def _encode(self, states: Mapping[str, SwitchState]) -> Mapping[str, WireState]:
        return {name: self._outside.encoder.state(state) for name, state in states.items()}

    def _set_desired(self, now: float, accepted: Accepted) -> Accepted:
        self.accepted = accepted
        self.switches.want(now, accepted.revision, accepted.wires)
        self.switches.check_ports(accepted.policy)
        self.empty_pools.look(accepted.policy, self._compiled_for)
        return accepted

    def _publish(self, policy: Policy, revision: int) -> None:
        """Publish before switches change, so that no gateway gets traffic that it has no rules for."""
        try:
            secret_of = self._outside.store.pool_secret
            settings = render_gateways(policy, revision, secret_of)
            self.settings_by_pool = settings
            self._outside.publish(settings)
        except (OSError, StoreError) as error:
            self._outside.journal.write(ControllerEvent.GATEWAYS_NOT_PUBLISHED, reason=str(error))
