"""Puts policies in force, and passes each event to the part that it concerns.

Knows neither OpenFlow's bytes nor HTTP nor a framework: channels, encoder, store,
journal and clock are passed in, and time is a parameter. Handlers of commands work on it.
"""

from collections.abc import Iterable, Mapping

from common.config.errors import ConfigErrors
from controller.compiler.errors import CompileError
from controller.hosts.render import Settings, render_gateways
from controller.policy.model import Policy, PortRef
from controller.policy.parse import parse_policy
from controller.pools.conntrack import Connection
from controller.pools.roster import Roster
from controller.prover.answer import Answer, ProverReport
from controller.prover.question import Purpose
from controller.runtime.accepted import Accepted
from controller.runtime.antivirus import AntivirusFleet
from controller.runtime.backlog import Backlog
from controller.runtime.bridges import BridgeWatch
from controller.runtime.channel import Channel
from controller.runtime.commands.policy import PolicyRevision
from controller.runtime.dependencies import RuntimeDependencies
from controller.runtime.drift import DriftWatch
from controller.runtime.encoding import Encoder
from controller.runtime.events import BridgeRepairEnded, BridgesRead, BridgesUnread
from controller.runtime.floods import FloodWatch
from controller.runtime.foresight import Foresight
from controller.runtime.gate import ProofPending, ProofRefused
from controller.runtime.in_force import InForce
from controller.runtime.members import MemberWatch
from controller.runtime.memory import NetworkMemory
from controller.runtime.orphans import OrphanedSessions
from controller.runtime.port_names import PortNames
from controller.runtime.principals import CONTROLLER, Principal
from controller.runtime.proofs import QuestionNumbers, StandingProof
from controller.runtime.prospect import Prospect
from controller.runtime.submission import NO_TERMS, Submissions, Terms
from controller.runtime.suspicion import DecisionKeeper
from controller.runtime.switch_foresight import SwitchForesight
from controller.runtime.switch_settings import SettingsWatch
from controller.runtime.switches import Switches
from controller.runtime.tokens import Tokens
from controller.runtime.trunks import TrunkWatch
from controller.runtime.unheard import UnheardWatch
from controller.runtime.used_parts import UsedParts
from controller.store import StoreError
from controller.sync.outcomes import GroupsRead, Outcome, PlanConfirmed, PortChanged, ResetRefused, SwitchRead
from controller.telemetry.events import ControllerEvent
from controller.topology.homes import moved_homes

_START_PATIENCE_S = 15.0


class RuntimeCore:
    """Raise `ConfigErrors`, `CompileError` or `StoreError` from `submit`; nothing changes then."""

    def __init__(self, dependencies: RuntimeDependencies) -> None:
        store, journal = dependencies.store, dependencies.journal
        self._outside = dependencies
        self.switches = Switches(journal, dependencies.encoder.describe)
        self.trunks = TrunkWatch(journal, self.switches)
        self.unheard = UnheardWatch(journal)
        self.orphans = OrphanedSessions(journal, self.switches)
        self.tokens = Tokens(store)
        self.suspicion = DecisionKeeper(
            store, journal, self.switches, dependencies.encoder, dependencies.give_way
        )
        self.antivirus = AntivirusFleet(store, journal)
        self.used_parts = UsedParts(self.switches, self.suspicion, dependencies.encoder.find_used)
        self.floods = FloodWatch(journal, self.switches)
        self.drift = DriftWatch(journal, self.switches, dependencies.encoder)
        self.bridges = BridgeWatch(store, journal, self.switches, self.drift.ledger, dependencies.bridges)
        self._port_names = PortNames(store, journal, self.bridges)
        self.settings = SettingsWatch(self.switches, self.drift.ledger, self._port_names)
        self.memory = NetworkMemory(store, journal)
        numbers = QuestionNumbers()
        self.proofs = StandingProof(journal, self.switches, dependencies.prover, numbers)
        self.in_force = InForce(dependencies, numbers, self.switches, self.trunks)
        self.foresight = Foresight(
            store,
            self.in_force,
            self.memory,
            self.suspicion,
            SwitchForesight(self.switches, self.bridges, self.settings),
        )
        self._submissions = Submissions(dependencies, self.in_force, self.foresight)
        self._backlog = Backlog()
        self.members = MemberWatch(dependencies, self.in_force, self.orphans, self._backlog)
        self.settings_by_pool: Mapping[str, Settings] = {}
        self._start_with: tuple[str, str] | None = None  # file and text, until they are proved
        self._started_at = 0.0

    @property
    def encoder(self) -> Encoder:
        return self._outside.encoder

    @property
    def accepted(self) -> Accepted | None:
        return self.in_force.accepted

    @property
    def revision(self) -> int:
        """Return the revision of the policy in force; 0: there is none yet."""
        return self.in_force.revision

    @property
    def roster(self) -> Roster:
        return self.in_force.roster

    def start(self, now: float, utc: float, file: str, text: str) -> None:
        """Load the policy from the operator's file, or the last good one if the file is not valid."""
        self._outside.journal.write(ControllerEvent.CONTROLLER_STARTED, policy=file)
        last = self._outside.store.last_policy()
        known = self.memory.recall()
        self.switches.ports.remembered, self.trunks.remembered = known.ports_down, known.broken_trunks
        self._outside.give_way()
        self.suspicion.load(now, utc)
        self.antivirus.load(now, utc)
        self.bridges.load()
        self._port_names.load()
        is_known = last is not None and (last.file, last.text) == (file, text)
        self._started_at = now
        if not is_known:
            self._start_with = (file, text)
            self._submit_at_start(now, is_needed=last is None)
        if last is not None and self.accepted is None:
            prospect = self.foresight.foresee(now, parse_policy(last.text, last.file))
            self._take_up(now, PolicyRevision(last.revision, last.file), prospect, CONTROLLER)

    def is_starting(self, now: float) -> bool:
        """Return whether the first policy is still being proved; after a while, `status` says so instead."""
        is_pending = self._start_with is not None and self.accepted is None
        return is_pending and now < self._started_at + _START_PATIENCE_S

    def _submit_at_start(self, now: float, *, is_needed: bool = False) -> None:
        """Submit the file of the start until it is accepted or refused. `is_needed`: raise its errors."""
        if self._start_with is None:
            return
        file, text = self._start_with
        try:
            self.submit(now, file, text, CONTROLLER)
        except ProofPending:
            return
        except (ConfigErrors, CompileError, StoreError, ProofRefused) as error:
            self._start_with = None
            if is_needed and not isinstance(error, ProofRefused):
                raise
            last = self._outside.store.last_policy()
            if last is not None:
                self._outside.journal.write(
                    ControllerEvent.LAST_GOOD_POLICY_KEPT, revision=last.revision, reason=str(error)
                )

    def submit(self, now: float, file: str, text: str, by: Principal, terms: Terms = NO_TERMS) -> Accepted:
        """Check, compile, prove, store and apply a policy; return it with its revision.

        Raise `ProofPending` until it is proved: then this is to be called again.
        """
        edit = self._submissions.accept(now, file, text, by, terms)
        self._start_with = None
        self.switches.deliveries.begin(edit.stored.revision, edit.planned)
        self.switches.expect_repair()  # in the same step, so that they hold what was proved and no more
        accepted = self._take_up(now, edit.stored, edit.prospect, by)
        self.switches.repair(now)
        self._look_at_bridges(now, must_repair=True)
        return accepted

    def _take_up(self, now: float, new: PolicyRevision, prospect: Prospect, by: Principal) -> Accepted:
        """Put a policy in force: first for hosts, then for the switches."""
        policy = prospect.written
        self._publish(policy, new.revision)
        self._outside.journal.write(
            ControllerEvent.POLICY_ACCEPTED, revision=new.revision, file=new.file, by=str(by)
        )
        for text in moved_homes(self.accepted.policy, policy) if self.accepted else ():
            self._outside.journal.write(ControllerEvent.HOME_MOVED, reason=text)
        self.switches.match(now, policy)
        self.suspicion.on_policy(now, policy, prospect.decisions)
        self.antivirus.on_policy(policy)
        self._backlog.note(now)  # a switch may have got another name
        return self.in_force.take_over(now, new, prospect)

    def _publish(self, policy: Policy, revision: int) -> None:
        """Publish before switches change, so that no gateway gets traffic that it has no rules for."""
        try:
            secret_of = self._outside.store.pool_secret
            settings = render_gateways(policy, revision, secret_of)
            self.settings_by_pool = settings
            self._outside.publish(settings)
        except (OSError, StoreError) as error:
            self._outside.journal.write(ControllerEvent.GATEWAYS_NOT_PUBLISHED, reason=str(error))

    def wake_up(self, connections: Iterable[Connection]) -> None:
        """Make initiators of forgotten connections send a packet, which is answered or reset."""
        if self.accepted is not None:
            self.orphans.wake_up(self.accepted.policy, connections)

    def is_overdue(self, now: float) -> bool:
        """Return whether `catch_up` must not wait for the rest of the queue any longer."""
        return self._backlog.is_overdue(now)

    @property
    def is_caught_up(self) -> bool:
        return self._backlog.is_empty

    def catch_up(self, now: float) -> None:
        """Act on what was noted, once for all of it: recompile, then compare what switches have reported."""
        self.look_at_ports(now)
        accepted = self.accepted
        if accepted is None or not self._backlog.is_due(now, are_any_reading=self.switches.are_any_reading):
            return
        self._backlog.clear()
        try:
            conditions = self.in_force.conditions_of(accepted.policy, self.roster)
            if conditions != self.in_force.conditions:
                self.in_force.recompile(now, accepted)
            trunks = self.trunks.broken
            self.memory.keep(self.roster.remembered(), conditions.broken - trunks, trunks)
        finally:
            if not self.in_force.gate.is_deciding(now):  # otherwise what they hold is about to be replaced
                self.switches.compare(now)

    def on_outcome(self, now: float, dpid: int, channel: Channel, outcome: Outcome) -> None:
        record = self.switches.find(dpid, channel)
        if record is None:
            return
        if isinstance(outcome, PlanConfirmed | SwitchRead):
            self.proofs.on_changed(now)
        is_about_ports = self.switches.on_outcome(now, record, outcome)
        if is_about_ports:
            self._backlog.note_ports(now, dpid, is_urgent=isinstance(outcome, PortChanged))
        elif isinstance(outcome, ResetRefused):
            self.settings.on_refused(now, dpid, outcome.reason)
        elif self.accepted is not None and isinstance(outcome, GroupsRead):
            self.settings.look_at(now, self._outside.clock.utc(), dpid, self.accepted.policy)

    def look_at_ports(self, now: float) -> None:
        """Take up what switches have reported of their ports; cheap if nothing has come."""
        due, accepted = self._backlog.take_ports(), self.accepted
        if due and accepted is not None:
            self.switches.ports.check(now, accepted.policy)
        for dpid in due:
            if (record := self.switches.records.get(dpid)) is None:
                continue
            if accepted is not None:
                self.settings.look_at(now, self._outside.clock.utc(), dpid, accepted.policy)
            self.members.on_ports(now, record)

    def on_disconnected(self, now: float, dpid: int, channel: Channel) -> None:
        self.switches.on_disconnected(now, dpid, channel)
        self.proofs.on_changed(now)

    def on_prover(self, now: float, utc: float, report: ProverReport) -> None:
        """The proving process has answered, has started or has ended."""
        if not isinstance(report, Answer):
            self.proofs.on_prover(report)
            return
        self.proofs.on_answer(now, utc, report)
        match self.in_force.gate.on_answer(now, report):
            case Purpose.PLAN:
                self.in_force.send_if_proved(now)
                self._backlog.note(now)  # switches that were read meanwhile can be compared
            case Purpose.POLICY if self._start_with and self._submissions.holds(*self._start_with):
                self._submit_at_start(now)

    def refusals(self, dpid: int) -> tuple[str, ...]:
        """Return why a switch does not take what it must hold; nothing: it takes everything."""
        record = self.switches.records[dpid]
        found = record.session.refused.reason, self.settings.refusal(dpid), self.bridges.refusal(record.name)
        return tuple(reason for reason in found if reason)

    def look_at_proofs(self, now: float) -> None:
        """Begin a proof if one is due."""
        if accepted := self.accepted:
            self.proofs.look(now, self.in_force.subject(accepted))

    def on_probe(self, now: float, dpid: int, channel: Channel, port: int, origin: PortRef) -> None:
        """A switch has received the probe that another one sent out of `origin`."""
        if record := self.switches.find(dpid, channel):
            self.trunks.on_heard(now, PortRef(record.name, port), origin)

    def on_tick(self, now: float) -> None:
        if self.accepted is not None:
            self.trunks.on_tick(now, self.accepted.policy)
        self.members.on_tick(now)
        self.unheard.on_tick(now, self.roster.members, self.roster.resting)
        if self.accepted is not None:
            self.suspicion.on_tick(now)
            self.floods.on_tick(now, self.accepted.policy)
        self.antivirus.on_tick(now)
        self.switches.on_tick(now)
        self.in_force.gate.on_tick(now)
        if self._submissions.is_free(now):
            self._submit_at_start(now)
        self._look_at_bridges(now)

    def on_bridges(self, now: float, event: BridgesRead | BridgesUnread | BridgeRepairEnded) -> None:
        """Open vSwitch's database was read, or cannot be read; or a bridge was repaired."""
        self.bridges.on_event(now, self._outside.clock.utc(), event)
        self._look_at_bridges(now)

    def accept_bridge(self, now: float, switch: str) -> bool:
        """Take a bridge as it is now for good, or forget one that is gone; return whether there was one.

        Of a switch whose bridge is not seen here, take the interfaces at its ports as OpenFlow shows them.
        Raise `StoreError`; nothing has changed in that case.
        """
        if (accepted := self.accepted) is None:
            return False
        is_known = self.bridges.accept(self._outside.clock.utc(), accepted.policy, switch)
        for dpid in [dpid for dpid, record in self.switches.records.items() if record.name == switch]:
            if self.bridges.is_watched(dpid):
                self._port_names.follow(dpid)
            else:
                is_known |= self.settings.accept(dpid, accepted.policy)
        self._look_at_bridges(now)
        return is_known

    def _look_at_bridges(self, now: float, *, must_repair: bool = False) -> None:
        if accepted := self.accepted:
            utc = self._outside.clock.utc()
            self.settings.look(now, utc, accepted.policy, must_repair=must_repair)
            self.bridges.look(now, utc, accepted.policy, must_repair=must_repair)
