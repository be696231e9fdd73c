"""The switches of the policy with their last known state, and unknown switches."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from common.journal.journal import Journal
from controller.pipeline.zones import may_be_of
from controller.policy.model import DriftMode, Policy, Switch
from controller.pools.conntrack import Connection
from controller.runtime.channel import Channel
from controller.runtime.deliveries import Deliveries
from controller.runtime.limited_journal import LimitedJournal
from controller.runtime.lookups import LookUps, PartsWanted
from controller.runtime.switch_ports import SwitchPorts
from controller.runtime.switch_record import SwitchRecord
from controller.sync.commands import ReadGroups, ReadSwitch, SendPlan, SwitchCommand
from controller.sync.outcomes import (
    FlowsChanged,
    FlowsFound,
    GroupsRead,
    GroupsTouched,
    MonitorRefused,
    MonitorStarted,
    Outcome,
    PartsFound,
    PlanCommitted,
    PlanConfirmed,
    PlanRefused,
    PortChanged,
    PortsRead,
    SwitchRead,
    SwitchSettings,
)
from controller.sync.overlay import Patch
from controller.sync.parts import DescribePart
from controller.sync.rehearsal import Prospects, Rehearsal, rehearse
from controller.sync.session import Phase, SwitchSession
from controller.sync.state import WireState
from controller.telemetry.events import ControllerEvent

Patches = Mapping[str, Sequence[Patch]]  # by the name of the switch


class Switches:
    """One record for each switch of the policy, by dpid. `describe`: a group or a meter in words.

    `limited`: for lines that a switch may cause again and again.
    """

    def __init__(self, journal: Journal, describe: DescribePart) -> None:
        self._journal, self.limited = journal, LimitedJournal(journal)
        self.records: dict[int, SwitchRecord] = {}
        self.strangers: dict[int, Channel] = {}
        self.deliveries = Deliveries(journal)
        self.look_ups = LookUps(describe)
        self.ports = SwitchPorts(self.limited, self.records)

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

    @property
    def are_any_reading(self) -> bool:
        return any(record.is_reading for record in self.records.values())

    def is_back(self, dpid: int) -> bool:
        """Return whether a switch is connected and holds the desired state."""
        record = self.records.get(dpid)
        return record is not None and record.is_in_step

    def on_connected(self, now: float, dpid: int, channel: Channel) -> None:
        record = self.records.get(dpid)
        if record is None:
            self.strangers[dpid] = channel
            self.limited.write_of_stranger(now, ControllerEvent.UNKNOWN_SWITCH_CONNECTED, dpid)
            return
        record.channel = channel
        self.limited.write(now, ControllerEvent.SWITCH_CONNECTED, record.name, dpid=dpid)
        channel.watch()  # before it is read, so that no change falls between
        self._execute(record, record.session.on_connected(now))

    def on_disconnected(self, now: float, dpid: int, channel: Channel) -> None:
        if self.strangers.get(dpid) is channel:
            del self.strangers[dpid]
        if record := self.find(dpid, channel):
            record.channel = record.unread = None
            record.told_revision = 0
            record.was_silent, record.told_refusal, record.settings = False, "", SwitchSettings()
            self.limited.write(now, ControllerEvent.SWITCH_DISCONNECTED, record.name, dpid=dpid)
            record.session.on_disconnected()

    def on_outcome(self, now: float, record: SwitchRecord, outcome: Outcome) -> bool:
        """Process a switch's reply; return whether it concerns ports.

        What a switch holds is compared by `compare`, after the caller has taken its ports into account.
        """
        session = record.session
        match outcome:
            case SwitchRead(_, installed, ports):
                if not session.is_read:
                    self.limited.write(
                        now, ControllerEvent.SWITCH_READ, record.name, flows=len(installed.flows)
                    )
                record.ports = {port.number: port for port in ports}
                record.unread = outcome
            case PlanCommitted(attempt):
                session.on_committed(attempt)
            case PlanConfirmed(attempt):
                self._advance(record, lambda: session.on_confirmed(now, attempt))
            case PlanRefused(attempt, reason):
                self._advance(record, lambda: session.on_refused(now, attempt, reason))
            case PortChanged(port, was_deleted):
                self.ports.note(now, record, port, was_deleted)
            case PortsRead(ports):
                record.ports = {port.number: port for port in ports}
            case FlowsFound():
                self.look_ups.on_found(record.name, outcome)
            case PartsFound():
                self.look_ups.on_parts_found(record.name, outcome)
            case _:
                self._execute(record, self._on_watched(now, record, outcome))
        self._note_refusal(now, record)
        return isinstance(outcome, SwitchRead | PortChanged | PortsRead)

    def _on_watched(self, now: float, record: SwitchRecord, outcome: Outcome) -> tuple[SwitchCommand, ...]:
        """Process what a switch reports about changes by others."""
        match outcome:
            case MonitorStarted():
                return record.session.on_monitor_started(now)
            case MonitorRefused(reason):
                return record.session.on_monitor_refused(reason)
            case FlowsChanged():
                return record.session.on_flows_changed(now, outcome)
            case GroupsTouched():
                return record.session.on_groups_touched(now)
            case GroupsRead():
                record.settings = outcome.settings
                return record.session.on_groups_read(now, outcome)
        return ()

    def _note_refusal(self, now: float, record: SwitchRecord) -> None:
        """Write a line when a switch begins to refuse something, and one when that is over."""
        reason, told = record.session.refused.reason, record.told_refusal
        if reason and not told:
            self.limited.write(now, ControllerEvent.PLAN_REFUSED, record.name, reason=reason)
        elif told and not reason:
            self.limited.write(now, ControllerEvent.REFUSAL_ENDED, record.name, reason=told)
        record.told_refusal = reason and (told or reason)

    def compare(self, now: float) -> None:
        """Compare what switches have reported with what they must hold, and send the difference."""
        for record in self.records.values():
            if record.session.desired_revision == 0:
                continue  # nothing is known yet that it must hold
            read, record.unread = record.unread, None
            if read is not None:
                self._advance(record, partial(record.session.on_read, now, read.attempt, read.installed))

    def _advance(self, record: SwitchRecord, step: Callable[[], tuple[SwitchCommand, ...]]) -> None:
        """Take one step of a session that may complete a delivery."""
        self._execute(record, step())
        self._close_delivery(record)

    def on_tick(self, now: float) -> None:
        self.limited.on_tick(now)
        for record in self.records.values():
            session = record.session
            if record.channel is not None:
                session.watch.on_tick(now, record.channel.received, session.work_since)
                self._note_silence(now, record)
            self._execute(record, session.on_tick(now))
            self._note_refusal(now, record)

    def _note_silence(self, now: float, record: SwitchRecord) -> None:
        is_silent = bool(record.silence)
        if is_silent is not record.was_silent:
            event = ControllerEvent.SWITCH_FELL_SILENT if is_silent else ControllerEvent.SWITCH_ANSWERED
            self.limited.write(now, event, record.name)
        record.was_silent = is_silent

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

    def rehearse(
        self, now: float, policy: Policy, wires: Mapping[str, WireState], patches: Patches
    ) -> dict[str, Rehearsal]:
        """Return what `match`, `patch` and `want` would make each switch of a policy be sent, by its name."""
        return {
            switch.name: rehearse(
                self._session_of(switch),
                now,
                Prospects(
                    wires[switch.name],
                    patches.get(switch.name, ()),
                    repairs_drift=policy.drift is DriftMode.REPAIR,
                ),
            )
            for switch in policy.switches
        }

    def _session_of(self, switch: Switch) -> SwitchSession:
        record = self.records.get(switch.dpid)
        return record.session if record else SwitchSession(switch.name)

    def repair_drift(self, is_wanted: bool) -> None:
        """Set whether what others change on switches is put right at once."""
        for record in self.records.values():
            record.session.repairs_drift = is_wanted

    def expect_repair(self) -> None:
        """Let the next plans put right what others have changed."""
        for record in self.records.values():
            record.session.expect_repair()

    def repair(self, now: float) -> None:
        """Put right once what others have changed."""
        for record in self.records.values():
            self._execute(record, record.session.on_repair(now))

    def want(self, now: float, revision: int, wires: Mapping[str, WireState]) -> None:
        """Set the desired state of every switch, by the switch's name."""
        for record in self.records.values():
            self._execute(record, record.session.on_desired(now, revision, wires[record.name]))

    def close_deliveries(self) -> None:
        for record in self.records.values():
            self._close_delivery(record)

    def _close_delivery(self, record: SwitchRecord) -> None:
        if record.channel is not None and record.session.phase in (Phase.IN_STEP, Phase.DRIFTED):
            self.deliveries.close(record.name)

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
        return all(record.is_confirmed for record in self.records.values() if record.channel is not None)

    @property
    def is_any_busy(self) -> bool:
        """Return whether a connected switch is about to confirm something, or to be put right."""
        return any(record.is_busy for record in self.records.values())

    @property
    def is_any_away(self) -> bool:
        """Return whether a switch of the policy is not connected: it confirms nothing."""
        return any(record.channel is None for record in self.records.values())

    def look_up(
        self, cookies: Iterable[tuple[int, int]], wanted: Mapping[str, PartsWanted] | None = None
    ) -> int:
        """Ask all switches for flows under cookies, each with its mask; `look_ups` has the answers.

        `wanted`: also ask for these groups and meters, by switch.
        """
        channels = {record.name: record.channel for record in self.records.values()}
        silent = {record.name: why for record in self.records.values() if (why := record.silence)}
        return self.look_ups.ask(channels, cookies, wanted or {}, silent)

    def _execute(self, record: SwitchRecord, commands: tuple[SwitchCommand, ...]) -> None:
        """Carry out what a step of a session asks for, and report a revision that it has confirmed."""
        revision = record.session.confirmed_revision
        if revision != record.told_revision:
            record.told_revision = revision
            self._journal.write(ControllerEvent.REVISION_CONFIRMED, switch=record.name, revision=revision)
        for command in commands:
            if record.channel is None:
                return
            match command:
                case ReadSwitch(attempt):
                    record.channel.read(attempt)
                case ReadGroups(turn):
                    record.channel.read_groups(turn)
                case SendPlan(attempt, plan, is_repair):
                    if not is_repair:  # of a repair, the journal says what was repaired
                        self._journal.write(ControllerEvent.PLAN_SENT, switch=record.name, plan=str(plan))
                        self.deliveries.note(record.name, plan)
                    record.channel.send(attempt, plan)
