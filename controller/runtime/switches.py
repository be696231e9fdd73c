"""The switches of the policy with their last known state, and unknown switches."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from common.journal.journal import Journal
from controller.ids import cookie_of
from controller.pipeline.tables import Table
from controller.pipeline.zones import may_be_of
from controller.policy.model import Policy, PortRef
from controller.pools.conntrack import Connection
from controller.sync.outcomes import (
    FlowsCounted,
    Outcome,
    PlanConfirmed,
    PlanRefused,
    Port,
    PortChanged,
    SwitchRead,
)
from controller.sync.overlay import Patch
from controller.sync.plan import Plan
from controller.sync.session import Phase, ReadSwitch, SendPlan, SwitchCommand, SwitchSession
from controller.sync.state import WireState
from controller.telemetry.events import ControllerEvent
from controller.topology.ports import ports_of

_MOST_HITS = 1_000  # rules whose packets are being counted at the same time


class Channel(Protocol):
    """The channel to one connected switch. Calls return at once; replies come back as outcomes."""

    def read(self, attempt: int) -> None: ...

    def send(self, attempt: int, plan: Plan) -> None: ...

    def probe(self, origin: PortRef) -> None:
        """Make the switch send a probe out of one of its ports."""

    def forget(self, connections: tuple[Connection, ...]) -> None:
        """Make the switch forget connections."""

    def ask_hits(self, table: int, cookie: int) -> None:
        """Ask how many packets have matched the flows with a cookie."""

    def wake_up(self, connection: Connection, port: int, own_mac: int) -> None:
        """Make the switch send a segment that the initiator of a connection, behind a port, must answer."""


@dataclass(slots=True)
class SwitchRecord:
    """A switch of the policy: its session, its channel if it is connected, and what is wrong with it."""

    session: SwitchSession
    channel: Channel | None = None
    ports: dict[int, Port] = field(default_factory=dict)
    missing_ports: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return self.session.name

    @property
    def is_in_step(self) -> bool:
        return self.channel is not None and self.session.phase is Phase.IN_STEP

    @property
    def ports_up(self) -> set[int]:
        return {port.number for port in self.ports.values() if not port.is_down}


class Switches:
    """One record for each switch of the policy, by dpid."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.records: dict[int, SwitchRecord] = {}
        self.strangers: dict[int, Channel] = {}
        self._hits: dict[int, dict[str, int | None]] = {}  # packets, by cookie and switch; None: no reply yet

    def find(self, dpid: int, channel: Channel) -> SwitchRecord | None:
        """Return the record of a channel's switch; None: an unknown switch, or a replaced connection."""
        record = self.records.get(dpid)
        return record if record is not None and record.channel is channel else None

    def by_name(self) -> dict[str, SwitchRecord]:
        return {record.name: record for record in self.records.values()}

    @property
    def is_in_step(self) -> bool:
        """Return whether every connected switch holds the desired state."""
        return all(record.is_in_step for record in self.records.values() if record.channel is not None)

    def is_back(self, dpid: int) -> bool:
        """Return whether a switch is connected and holds the desired state."""
        record = self.records.get(dpid)
        return record is not None and record.is_in_step

    def on_connected(self, now: float, dpid: int, channel: Channel) -> None:
        record = self.records.get(dpid)
        if record is None:
            self.strangers[dpid] = channel
            self._journal.write(ControllerEvent.UNKNOWN_SWITCH_CONNECTED, dpid=dpid)
            return
        record.channel = channel
        self._journal.write(ControllerEvent.SWITCH_CONNECTED, switch=record.name, dpid=dpid)
        self._execute(record, record.session.on_connected(now))

    def on_disconnected(self, dpid: int, channel: Channel) -> None:
        if self.strangers.get(dpid) is channel:
            del self.strangers[dpid]
        if record := self.find(dpid, channel):
            record.channel = None
            self._journal.write(ControllerEvent.SWITCH_DISCONNECTED, switch=record.name, dpid=dpid)
            record.session.on_disconnected()

    def on_outcome(self, now: float, record: SwitchRecord, outcome: Outcome) -> bool:
        """Process a switch's reply; return whether it concerns ports."""
        session = record.session
        before = session.confirmed_revision
        commands: tuple[SwitchCommand, ...] = ()
        match outcome:
            case SwitchRead(attempt, installed, ports):
                commands = session.on_read(now, attempt, installed)
                self._journal.write(
                    ControllerEvent.SWITCH_READ, switch=record.name, flows=len(installed.flows)
                )
                record.ports = {port.number: port for port in ports}
            case PlanConfirmed(attempt):
                commands = session.on_confirmed(now, attempt)
            case PlanRefused(attempt, reason):
                commands = session.on_refused(now, attempt, reason)
                self._journal.write(ControllerEvent.PLAN_REFUSED, switch=record.name, reason=reason)
            case PortChanged(port, was_deleted):
                self._note_port(record, port, was_deleted)
            case FlowsCounted(cookie, packets):
                if record.name in self._hits.get(cookie, {}):
                    self._hits[cookie][record.name] = packets
        self._execute(record, commands)
        if session.confirmed_revision != before:
            revision = session.confirmed_revision
            self._journal.write(ControllerEvent.REVISION_CONFIRMED, switch=record.name, revision=revision)
        return isinstance(outcome, SwitchRead | PortChanged)

    def on_tick(self, now: float) -> None:
        for record in self.records.values():
            self._execute(record, record.session.on_tick(now))

    def match(self, now: float, policy: Policy) -> None:
        """Keep a record for each switch of the policy; drop switches no longer in it."""
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

    def want(self, now: float, revision: int, wires: Mapping[str, WireState]) -> None:
        """Set the desired state of every switch, by the switch's name."""
        for record in self.records.values():
            self._execute(record, record.session.on_desired(now, revision, wires[record.name]))

    def patch(self, switch: str, patch: Patch) -> None:
        """Change some flows of a switch that are not the policy's; `settle` sends the change."""
        if record := self.by_name().get(switch):
            record.session.overlay.remove(patch.gone, patch.gone_meters)
            record.session.overlay.put(patch.flows, patch.meters)

    def settle(self, now: float) -> None:
        for record in self.records.values():
            if not record.session.overlay.is_settled:
                self._execute(record, record.session.on_overlay(now))

    def forget(self, connections: Iterable[Connection]) -> None:
        """Make each switch forget its own ones of these connections."""
        known = tuple(connections)
        for dpid, record in self.records.items():
            mine = tuple(connection for connection in known if may_be_of(connection.zone, dpid))
            if record.channel and mine:
                record.channel.forget(mine)

    @property
    def is_settled(self) -> bool:
        """Return whether every connected switch has confirmed all patches."""
        connected = [record for record in self.records.values() if record.channel is not None]
        return all(record.is_in_step and record.session.overlay.is_settled for record in connected)

    def ask_packets(self, rule: str) -> None:
        """Ask the switches how many packets matched a rule of table `suspicion`; `packets` has the answer."""
        cookie = cookie_of(rule)
        if len(self._hits) >= _MOST_HITS:
            del self._hits[next(iter(self._hits))]
        self._hits[cookie] = {}
        for record in self.records.values():
            if record.channel is not None:
                self._hits[cookie][record.name] = None
                record.channel.ask_hits(Table.SUSPICION, cookie)

    def packets(self, rule: str) -> dict[str, int] | None:
        """Return packets by switch, once, when all switches that were asked have replied."""
        cookie = cookie_of(rule)
        told = {name: packets for name, packets in self._hits.get(cookie, {}).items() if packets is not None}
        if len(told) < len(self._hits.get(cookie, {})):
            return None
        self._hits.pop(cookie, None)
        return told

    def ports_down(self, policy: Policy) -> Iterator[PortRef]:
        """Yield the ports of the policy that were down or missing at their switch's last report."""
        by_name = self.by_name()
        for use in ports_of(policy):
            record = by_name.get(use.at.switch)
            if record and record.ports:
                port = record.ports.get(use.at.port)
                if port is None or port.is_down:
                    yield use.at

    def check_ports(self, policy: Policy) -> None:
        """Report the ports that the policy uses and a switch does not have."""
        used: dict[str, set[int]] = {}
        for use in ports_of(policy):
            used.setdefault(use.at.switch, set()).add(use.at.port)
        for record in self.records.values():
            if record.channel is None or not record.ports:
                continue
            missing = tuple(sorted(used.get(record.name, set()) - set(record.ports)))
            if missing and missing != record.missing_ports:
                self._journal.write(ControllerEvent.PORT_MISSING, switch=record.name, ports=list(missing))
            record.missing_ports = missing

    def _note_port(self, record: SwitchRecord, port: Port, was_deleted: bool) -> None:
        before = record.ports.pop(port.number, None)
        if not was_deleted:
            record.ports[port.number] = port
        went_down = port.is_down or was_deleted
        if before is None or before.is_down != went_down:
            event = ControllerEvent.PORT_WENT_DOWN if went_down else ControllerEvent.PORT_CAME_UP
            self._journal.write(event, switch=record.name, port=port.number, name=port.name)

    def _execute(self, record: SwitchRecord, commands: tuple[SwitchCommand, ...]) -> None:
        for command in commands:
            if record.channel is None:
                return
            match command:
                case ReadSwitch(attempt):
                    record.channel.read(attempt)
                case SendPlan(attempt, plan):
                    self._journal.write(ControllerEvent.PLAN_SENT, switch=record.name, plan=str(plan))
                    record.channel.send(attempt, plan)
