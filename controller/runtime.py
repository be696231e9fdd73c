"""The single writer: everything that changes state comes through here, one event at a time.

Owns the accepted policy and one session for each switch. Knows neither OpenFlow's
bytes nor HTTP nor a framework: channels, encoder, store and journal are given to
it, and time is a parameter.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from controller.compiler.compile import compile_policy
from controller.compiler.conditions import ALL_IS_WELL, Conditions
from controller.compiler.errors import CompileError
from controller.compiler.neighbours import mac_number
from controller.compiler.troubles import Trouble, troubles_of
from controller.errors import PolicyErrors
from controller.pipeline.fields import ZONES_PER_SWITCH, switch_part
from controller.pipeline.flows import SwitchState
from controller.policy.model import Policy, PortRef
from controller.policy.parse import parse_policy
from controller.pools.conntrack import Connection
from controller.pools.cutting import MOST_PER_CUT, cut
from controller.pools.health import Report, trusted
from controller.pools.leaving import member_paths, with_leaving, without_members
from controller.pools.members import Member, StateChanged
from controller.pools.roster import Roster
from controller.render import Settings, render_gateways
from controller.store import Store, StoreError
from controller.sync.outcomes import Outcome, PlanConfirmed, PlanRefused, Port, PortChanged, SwitchRead
from controller.sync.plan import Plan, difference
from controller.sync.session import Command, Phase, ReadSwitch, SendPlan, SwitchSession
from controller.sync.state import WireState
from controller.telemetry.journal import Event, Journal
from controller.topology.cabling import PROBE_INTERVAL_S, Cabling, CablingTrouble
from controller.topology.fabric import trunks_of
from controller.topology.homes import moved_homes

_MOST_TENANTS = 100  # that one event names


class Channel(Protocol):
    """The way to one connected switch. Calls return at once; answers come back as outcomes."""

    def read(self, attempt: int) -> None: ...

    def send(self, attempt: int, plan: Plan) -> None: ...

    def probe(self, origin: PortRef) -> None:
        """Have the switch send a probe out of one of its ports."""

    def forget(self, connections: tuple[Connection, ...]) -> None:
        """Have the switch forget connections."""

    def wake_up(self, connection: Connection, port: int, own_mac: int) -> None:
        """Have the switch send the initiator of a connection, behind a port, what it must answer."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything outside: given once, at start."""

    encode: Callable[[SwitchState], WireState]
    publish: Callable[[Mapping[str, Settings]], None]  # may raise OSError
    store: Store
    journal: Journal


@dataclass(slots=True)
class SwitchRecord:
    """A switch of the policy: its session, its channel if connected, what is wrong with it."""

    session: SwitchSession
    channel: Channel | None = None
    ports: dict[int, Port] = field(default_factory=dict)
    missing_ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """A policy that passed, compiled, and the state that each switch shall have."""

    revision: int
    file: str
    policy: Policy
    states: Mapping[str, SwitchState]
    wires: Mapping[str, WireState]


class Runtime:
    """Raise `PolicyErrors`, `CompileError` or `StoreError` from `submit`; nothing has changed then."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._world = surroundings
        self.accepted: Accepted | None = None
        self.records: dict[int, SwitchRecord] = {}
        self.strangers: dict[int, Channel] = {}
        self.roster = Roster()
        self.troubles: tuple[Trouble, ...] = ()
        self._compiled_for = ALL_IS_WELL
        self.departed: dict[int, str] = {}  # MAC and path of members whose sessions are yet to be cut
        self._cabling = Cabling()
        self._probed_at = -PROBE_INTERVAL_S
        self.cabling_troubles: frozenset[CablingTrouble] = frozenset()

    def start(self, now: float, file: str, text: str) -> None:
        """Take up the policy of the operator's file, or, if that is bad, the last good one."""
        self._world.journal.write(Event.CONTROLLER_STARTED, policy=file)
        last = self._world.store.last_policy()
        try:
            self.submit(now, file, text)
        except (PolicyErrors, CompileError) as error:
            if last is None:
                raise
            self._world.journal.write(Event.LAST_GOOD_POLICY_KEPT, revision=last.revision, reason=str(error))
            self._take_up(now, last.revision, last.file, *self._prepare(last.file, last.text))

    def submit(self, now: float, file: str, text: str) -> Accepted:
        """Check, compile, keep and carry out a policy; return it with its revision."""
        try:
            policy, states = self._prepare(file, text)
            revision = self._world.store.accept_policy(file, text).revision
        except (PolicyErrors, CompileError, StoreError) as error:
            self._world.journal.write(Event.POLICY_REFUSED, file=file, reason=str(error))
            raise
        return self._take_up(now, revision, file, policy, states)

    def drain(self, now: float, name: str, is_drained: bool) -> Member:
        """Give a member no new sessions from now on, or give it some again; it keeps those it has.

        Raise `UnknownMember` or `StoreError`; nothing has changed then.
        """
        member = self.roster.find(name)
        self._world.store.set_drained(member.path, is_drained)
        self._on_members(now, self.roster.on_drained(now, member.path, is_drained))
        return self.roster.find(member.path)

    def on_report(self, now: float, name: str, report: Report) -> Member:
        """An agent says how a member is. Raise `UnknownMember`."""
        member = self.roster.find(name)
        self._on_members(now, self.roster.on_report(now, member.path, report))
        return self.roster.find(member.path)

    def on_counts(self, now: float, sessions_by_mac: Mapping[str, int]) -> None:
        """Open sessions by the MAC of a pool's member, as the switches' conntrack has them."""
        self._on_members(now, self.roster.on_counts(now, sessions_by_mac))
        gone = {each.path for each in self.roster.members if each.is_leaving and not each.may_have_sessions}
        if gone and self.accepted is not None:
            self._let_go(now, self.accepted, gone)

    def _let_go(self, now: float, accepted: Accepted, gone: set[str]) -> None:
        """Members that were leaving have finished: nothing is left of them on the switches."""
        for path in sorted(gone):
            self._world.journal.write(Event.MEMBER_LEFT, member=path)
        carried = without_members(accepted.policy, gone)
        leaving = {each.path for each in self.roster.members if each.is_leaving} - gone
        self.roster.on_policy(carried, self._world.store.drained(), leaving, now=now)
        self._rebalance(now, replace(accepted, policy=carried))

    def _on_members(self, now: float, changes: tuple[StateChanged, ...]) -> None:
        for change in changes:
            self._world.journal.write(
                Event.MEMBER_CHANGED,
                pool=change.member.pool,
                member=change.member.name,
                state=change.member.state.value,
                before=change.before.value,
                sessions=change.member.sessions,
                detail=change.member.detail,
            )
            self._note_departure(change.member)
            if change.hold_s:
                self._world.journal.write(
                    Event.MEMBER_HELD_DOWN,
                    pool=change.member.pool,
                    member=change.member.name,
                    seconds=change.hold_s,
                    reason=str(change.member.damping),
                )
        # Not only with a change: shares also grow, with time.
        if self.accepted is not None and self._conditions(self.accepted.policy) != self._compiled_for:
            self._rebalance(now, self.accepted)

    def _note_departure(self, member: Member) -> None:
        mac = mac_number(member.mac)
        self.departed.pop(mac, None)
        if member.is_gone:
            self.departed[mac] = member.path

    @property
    def is_in_step(self) -> bool:
        """Say whether every switch that answers carries out what is wanted."""
        return all(r.session.phase is Phase.IN_STEP for r in self.records.values() if r.channel is not None)

    def cut_departed(self, connections: Iterable[Connection]) -> tuple[Connection, ...]:
        """Have the switches forget the sessions of members that are gone; return whom to wake up then."""
        found = cut(connections, frozenset(self.departed))
        by_zone: dict[int, list[Connection]] = {}
        for connection in found.forgotten:
            by_zone.setdefault(connection.zone // ZONES_PER_SWITCH, []).append(connection)
        for dpid, record in self.records.items():
            if record.channel and (mine := by_zone.get(switch_part(dpid))):
                record.channel.forget(tuple(mine))
        for mac, path in self.departed.items():
            own = sum(mac in (each.initiator, each.responder) for each in found.forgotten)
            self._world.journal.write(Event.SESSIONS_CUT, member=path, connections=own)
        if len(found.forgotten) < MOST_PER_CUT:
            self.departed.clear()
        return found.told

    def is_back(self, dpid: int) -> bool:
        """Say whether a switch answers and carries out what is wanted."""
        record = self.records.get(dpid)
        return record is not None and record.channel is not None and record.session.phase is Phase.IN_STEP

    def note_forgotten(self, dpid: int, connections: tuple[Connection, ...]) -> None:
        """A switch was started anew and does not know these connections any more."""
        if connections and (record := self.records.get(dpid)):
            switch, count = record.session.name, len(connections)
            self._world.journal.write(Event.SESSIONS_FORGOTTEN, switch=switch, connections=count)

    def wake_up(self, connections: Iterable[Connection]) -> None:
        """Make initiators of forgotten connections speak, so that they learn whether anybody is there."""
        if self.accepted is None:
            return
        place_by_mac = {mac_number(mac): at for mac, at in _places(self.accepted.policy)}
        record_by_switch = {record.session.name: record for record in self.records.values()}
        mac_by_switch = {each.name: mac_number(each.mac) for each in self.accepted.policy.switches}
        for connection in connections:
            at = place_by_mac.get(connection.initiator)
            record = record_by_switch.get(at.switch) if at else None
            if at and record and record.channel:
                record.channel.wake_up(connection, at.port, mac_by_switch[at.switch])

    def _rebalance(self, now: float, accepted: Accepted) -> None:
        """The same policy, with its new sessions spread over the members that take some."""
        states = self._compile(accepted.policy)
        self._set_desired(now, replace(accepted, states=states, wires=self._encode(states)))

    def preview(self, file: str, text: str) -> tuple[Policy, Mapping[str, SwitchState]]:
        """Check and compile a policy without carrying it out."""
        return self._prepare(file, text)

    def plan_for(self, name: str, desired: SwitchState) -> Plan:
        """Return what would be sent to a switch if `desired` were accepted."""
        for record in self.records.values():
            if record.session.name == name:
                return difference(self._world.encode(desired), record.session.installed)
        return difference(self._world.encode(desired), WireState())

    def on_connected(self, now: float, dpid: int, channel: Channel) -> None:
        record = self.records.get(dpid)
        if record is None:
            self.strangers[dpid] = channel
            self._world.journal.write(Event.UNKNOWN_SWITCH_CONNECTED, dpid=dpid)
            return
        record.channel = channel
        self._world.journal.write(Event.SWITCH_CONNECTED, switch=record.session.name, dpid=dpid)
        self._execute(record, record.session.on_connected(now))

    def on_disconnected(self, dpid: int, channel: Channel) -> None:
        if self.strangers.get(dpid) is channel:
            del self.strangers[dpid]
        record = self.records.get(dpid)
        if record is None or record.channel is not channel:
            return  # an old connection, already replaced by a new one
        record.channel = None
        self._world.journal.write(Event.SWITCH_DISCONNECTED, switch=record.session.name, dpid=dpid)
        record.session.on_disconnected()

    def on_outcome(self, now: float, dpid: int, channel: Channel, outcome: Outcome) -> None:
        record = self.records.get(dpid)
        if record is None or record.channel is not channel:
            return
        session, switch = record.session, record.session.name
        before = session.phase
        match outcome:
            case SwitchRead(attempt, installed, ports):
                commands = session.on_read(now, attempt, installed)
                self._world.journal.write(Event.SWITCH_READ, switch=switch, flows=len(installed.flows))
                self._note_ports(now, record, ports)
            case PlanConfirmed(attempt):
                commands = session.on_confirmed(now, attempt)
            case PlanRefused(attempt, reason):
                commands = session.on_refused(now, attempt, reason)
                self._world.journal.write(Event.PLAN_REFUSED, switch=switch, reason=reason)
            case PortChanged(port, was_deleted):
                commands = ()
                self._note_port(now, record, port, was_deleted)
        self._execute(record, commands)
        if session.phase is Phase.IN_STEP and before is not Phase.IN_STEP:
            self._world.journal.write(
                Event.REVISION_CONFIRMED, switch=switch, revision=session.confirmed_revision
            )

    def on_probe(self, now: float, dpid: int, channel: Channel, port: int, origin: PortRef) -> None:
        """A switch has heard what another one sent out of `origin`."""
        record = self.records.get(dpid)
        if record is not None and record.channel is channel:
            self._cabling.on_heard(now, PortRef(record.session.name, port), origin)

    def on_tick(self, now: float) -> None:
        self._on_members(now, self.roster.on_tick(now))
        self._look_at_cabling(now)
        for record in self.records.values():
            self._execute(record, record.session.on_tick(now))

    def _look_at_cabling(self, now: float) -> None:
        """Compare the trunks with the policy, and do without those that lead elsewhere."""
        if self.accepted is None or now - self._probed_at < PROBE_INTERVAL_S:
            return
        self._probed_at = now
        record_by_switch = {record.session.name: record for record in self.records.values()}
        down = set(self._ports_down(self.accepted.policy))
        answering = {
            name
            for name, record in record_by_switch.items()
            if record.channel is not None and record.session.confirmed_revision
        }
        watched = []
        for trunk in trunks_of(self.accepted.policy):
            if {trunk.near.switch, trunk.far.switch} <= answering and not {trunk.near, trunk.far} & down:
                watched.append(trunk)
                if channel := record_by_switch[trunk.near.switch].channel:
                    channel.probe(trunk.near)
        self._cabling.watch(now, watched)
        self._note_cabling(now, self.accepted)

    def _note_cabling(self, now: float, accepted: Accepted) -> None:
        before, self.cabling_troubles = self.cabling_troubles, self._cabling.troubles(now)
        for trouble in sorted(self.cabling_troubles - before, key=str):
            self._world.journal.write(Event.CABLING_WRONG, link=trouble.trunk.rule, reason=str(trouble))
        for trouble in sorted(before - self.cabling_troubles, key=str):
            if trouble.trunk not in {each.trunk for each in self.cabling_troubles}:
                self._world.journal.write(Event.CABLING_RIGHT, link=trouble.trunk.rule)
        if self._conditions(accepted.policy) != self._compiled_for:
            self._rebalance(now, accepted)

    def _prepare(self, file: str, text: str) -> tuple[Policy, Mapping[str, SwitchState]]:
        policy = parse_policy(text, file)
        return policy, compile_policy(policy)

    def _take_up(
        self, now: float, revision: int, file: str, policy: Policy, states: Mapping[str, SwitchState]
    ) -> Accepted:
        carried = self._with_leaving(now, policy)
        self._compiled_for = ALL_IS_WELL  # as `states` were
        if self._conditions(carried) != ALL_IS_WELL or carried is not policy:
            states = self._compile(carried)
        self._publish(policy, revision)
        self._world.journal.write(Event.POLICY_ACCEPTED, revision=revision, file=file)
        for text in moved_homes(self.accepted.policy, policy) if self.accepted else ():
            self._world.journal.write(Event.HOME_MOVED, reason=text)
        self._match_records(now, policy)
        return self._set_desired(now, Accepted(revision, file, carried, states, self._encode(states)))

    def _compile(self, policy: Policy) -> Mapping[str, SwitchState]:
        self._compiled_for = self._conditions(policy)
        return compile_policy(policy, self._compiled_for)

    def _conditions(self, policy: Policy) -> Conditions:
        miscabled = {end for each in self.cabling_troubles for end in (each.trunk.near, each.trunk.far)}
        broken = frozenset(miscabled | set(self._ports_down(policy)))
        return Conditions(self.roster.shares, broken, self.roster.unready)

    def _ports_down(self, policy: Policy) -> Iterator[PortRef]:
        """Ports of the policy that were down or missing when their switch was last heard of."""
        record_by_switch = {record.session.name: record for record in self.records.values()}
        for ref, _ in ports_of(policy):
            record = record_by_switch.get(ref.switch)
            if record and record.ports:
                port = record.ports.get(ref.port)
                if port is None or port.is_down:
                    yield ref

    def _with_leaving(self, now: float, policy: Policy) -> Policy:
        """Return what is carried out: the policy, and members that still have sessions to finish."""
        # The last count may be old: whoever is reachable stays until the next one.
        reachable = {each.path for each in self.roster.members if each.has_port}
        carried = policy
        if self.accepted is not None:
            carried = with_leaving(policy, self.accepted.policy, reachable.__contains__)
        leaving = member_paths(carried) - member_paths(policy)
        newcomer = trusted(now) if self.accepted is None else None
        self.roster.on_policy(carried, self._world.store.drained(), leaving, newcomer, now)
        return carried if leaving else policy

    def _encode(self, states: Mapping[str, SwitchState]) -> Mapping[str, WireState]:
        return {name: self._world.encode(state) for name, state in states.items()}

    def _set_desired(self, now: float, accepted: Accepted) -> Accepted:
        self.accepted = accepted
        for record in self.records.values():
            session = record.session
            self._execute(record, session.on_desired(now, accepted.revision, accepted.wires[session.name]))
            self._check_ports(record)
        self._note_troubles(accepted)
        return accepted

    def _note_troubles(self, accepted: Accepted) -> None:
        """Say when a pool begins to take nobody, what that means to whom, and when it is over."""
        before = {trouble.pool: trouble for trouble in self.troubles}
        self.troubles = troubles_of(accepted.policy, self._compiled_for)
        now = {trouble.pool: trouble for trouble in self.troubles}
        for pool, trouble in now.items():
            if before.get(pool) != trouble:
                self._write_trouble(Event.POOL_BECAME_EMPTY, trouble)
        for pool in sorted(before.keys() - now.keys()):
            self._write_trouble(Event.POOL_CAME_BACK, before[pool])

    def _write_trouble(self, event: Event, trouble: Trouble) -> None:
        tenants = [name for each in trouble.consequences for name in each.tenants]
        self._world.journal.write(
            event, pool=trouble.pool, tenants=tenants[:_MOST_TENANTS], consequences=trouble.lines
        )

    def _publish(self, policy: Policy, revision: int) -> None:
        """Tell the gateways before the switches, so that nothing is steered to one that does not know."""
        try:
            self._world.publish(render_gateways(policy, revision))
        except OSError as error:
            self._world.journal.write(Event.GATEWAYS_NOT_PUBLISHED, reason=str(error))

    def _match_records(self, now: float, policy: Policy) -> None:
        """Keep a record for each switch of the policy; let go of switches no longer in it."""
        name_by_dpid = {switch.dpid: switch.name for switch in policy.switches}
        for dpid in set(self.records) - set(name_by_dpid):
            channel = self.records.pop(dpid).channel
            if channel is not None:
                self.strangers[dpid] = channel
        for dpid, name in name_by_dpid.items():
            record = self.records.get(dpid)
            if record is None:
                self.records[dpid] = SwitchRecord(SwitchSession(name))
                if dpid in self.strangers:
                    self.on_connected(now, dpid, self.strangers.pop(dpid))
            else:
                record.session.name = name

    def _execute(self, record: SwitchRecord, commands: tuple[Command, ...]) -> None:
        for command in commands:
            if record.channel is None:
                return
            match command:
                case ReadSwitch(attempt):
                    record.channel.read(attempt)
                case SendPlan(attempt, plan):
                    self._world.journal.write(Event.PLAN_SENT, switch=record.session.name, plan=str(plan))
                    record.channel.send(attempt, plan)

    def _note_ports(self, now: float, record: SwitchRecord, ports: tuple[Port, ...]) -> None:
        record.ports = {port.number: port for port in ports}
        self._look_at_ports(now, record)

    def _note_port(self, now: float, record: SwitchRecord, port: Port, was_deleted: bool) -> None:
        before = record.ports.pop(port.number, None)
        if not was_deleted:
            record.ports[port.number] = port
        went_down = port.is_down or was_deleted
        if before is None or before.is_down != went_down:
            event = Event.PORT_WENT_DOWN if went_down else Event.PORT_CAME_UP
            self._world.journal.write(event, switch=record.session.name, port=port.number, name=port.name)
        self._look_at_ports(now, record)

    def _look_at_ports(self, now: float, record: SwitchRecord) -> None:
        self._check_ports(record)
        switch = record.session.name
        up = {port.number for port in record.ports.values() if not port.is_down}
        self._on_members(now, self.roster.on_ports(now, switch, up))
        if self.accepted and self._conditions(self.accepted.policy) != self._compiled_for:
            self._rebalance(now, self.accepted)

    def _check_ports(self, record: SwitchRecord) -> None:
        """Name the ports that the policy uses and the switch does not have."""
        if record.channel is None or not record.ports or self.accepted is None:
            return
        switch = record.session.name
        used = {ref.port for ref, _ in ports_of(self.accepted.policy) if ref.switch == switch}
        missing = tuple(sorted(used - set(record.ports)))
        if missing and missing != record.missing_ports:
            self._world.journal.write(Event.PORT_MISSING, switch=switch, ports=list(missing))
        record.missing_ports = missing


def _places(policy: Policy) -> Iterator[tuple[str, PortRef]]:
    """Yield the MAC and the port of everybody who may begin a connection."""
    yield from ((uplink.mac, uplink.at) for uplink in policy.uplinks)
    yield from ((gateway.mac, gateway.at) for tenant in policy.tenants for gateway in tenant.gateways)
    yield from ((member.mac, member.at) for pool in policy.pools for member in pool.members)


def ports_of(policy: Policy) -> Iterator[tuple[PortRef, str]]:
    """Yield every switch port that the policy says something about, and who is there."""
    yield from ((uplink.at, uplink.name) for uplink in policy.uplinks)
    yield from ((gateway.at, gateway.name) for tenant in policy.tenants for gateway in tenant.gateways)
    yield from ((member.at, member.name) for pool in policy.pools for member in pool.members)
    for link in policy.links:
        yield link.a, f"trunk to {link.b.switch}"
        yield link.b, f"trunk to {link.a.switch}"
