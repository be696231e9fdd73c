"""Pending requests to one switch, and the matching of replies to requests. No socket: bytes in and out.

Turns the commands of `sync.session` into messages, and the switch's messages
into outcomes. Replies to abandoned requests are recognised by their xid and ignored.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from controller.openflow import messages, replies
from controller.openflow.encode import (
    encode_bundle,
    encode_commit,
    encode_discard,
    encode_reset,
    found_flow,
    installed_state,
)
from controller.openflow.messages import BundleControl, Multipart, Type
from controller.openflow.part_lookups import PartLookUps
from controller.openflow.refusals import describe_error, describe_refusal
from controller.openflow.replies import BadMessage, InstalledFlow, InstalledGroup
from controller.openflow.updates import parse_updates
from controller.sync.outcomes import (
    FlowsFound,
    FoundFlow,
    GroupsRead,
    GroupsTouched,
    MonitorRefused,
    MonitorStarted,
    Outcome,
    PlanCommitted,
    PlanConfirmed,
    PlanRefused,
    Port,
    PortChanged,
    PortsRead,
    ResetRefused,
    SwitchRead,
    SwitchSettings,
    TableConfig,
)
from controller.sync.plan import Plan
from controller.sync.settings import SettingsReset
from controller.sync.state import WireGroup, WireMeter

_OWN_XIDS = 0x8000_0000  # keeps clear of the framework's own transaction ids
_MOST_LOOKED_UP = 1_000  # pending requests for flows under a cookie; older ones are abandoned
_MOST_FOUND = 300_000  # flows of one reply; more are left out
_UNASKED = 0  # the xid of what a switch sends by itself


@dataclass(slots=True)
class _Reading:
    attempt: int
    flows_xid: int
    groups_xid: int
    ports_xid: int
    meters_xid: int
    flows: list[InstalledFlow] = field(default_factory=list)
    groups: list[InstalledGroup] = field(default_factory=list)
    ports: list[Port] = field(default_factory=list)
    meters: list[WireMeter] = field(default_factory=list)
    done: set[int] = field(default_factory=set)

    @property
    def xids(self) -> set[int]:
        return {self.flows_xid, self.groups_xid, self.ports_xid, self.meters_xid}


@dataclass(slots=True)
class _GroupsReading:
    """Groups, meters and settings. A plan that is sent meanwhile does not disturb it: replies keep order."""

    turn: int
    groups_xid: int
    meters_xid: int
    config_xid: int
    tables_xid: int
    groups: dict[int, WireGroup] = field(default_factory=dict)
    meters: dict[int, WireMeter] = field(default_factory=dict)
    settings: SwitchSettings = field(default_factory=SwitchSettings)
    tables: dict[int, TableConfig] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)

    @property
    def xids(self) -> set[int]:
        return {self.groups_xid, self.meters_xid, *self.settings_xids}

    @property
    def settings_xids(self) -> set[int]:
        return {self.config_xid, self.tables_xid}


@dataclass(slots=True)
class _Sending:
    attempt: int
    xid: int
    bundle_id: int
    plan: Plan
    is_filled: bool = False  # the switch has accepted every message of the bundle
    was_committed: bool = False


@dataclass(slots=True)
class _LookUp:
    number: int
    flows: list[FoundFlow] = field(default_factory=list)
    is_whole: bool = True


class Conversation:
    """Requests to one switch that have no reply yet.

    After `receive`, send what `take_outgoing` returns: a bundle is committed or
    discarded only when the switch has checked all of it.
    """

    def __init__(self) -> None:
        self._outgoing: list[bytes] = []
        self._next_xid = _OWN_XIDS
        self._reading: _Reading | None = None
        self._sending: _Sending | None = None
        self._groups: _GroupsReading | None = None
        self._ports: tuple[int, list[Port]] = 0, []  # of a request for ports alone: its xid, what has come
        self._reset_xid = 0  # of requests that put settings back, of which none has been refused
        self._monitors = 0  # how many were requested: an id is never used again
        self._monitor_xid = 0
        self._looked_up: dict[int, _LookUp] = {}  # by the request's xid
        self._parts = PartLookUps(self._xid)

    def ask_state(self, attempt: int) -> list[bytes]:
        """Return the requests whose replies together become a `SwitchRead`."""
        reading = _Reading(attempt, self._xid(), self._xid(), self._xid(), self._xid())
        self._reading, self._sending = reading, None
        return [
            messages.request_ports(reading.ports_xid),
            messages.request_meters(reading.meters_xid),
            messages.request_groups(reading.groups_xid),
            messages.request_flows(reading.flows_xid),
        ]

    def ask_monitor(self) -> list[bytes]:
        """Return the requests whose reply becomes `MonitorStarted` or `MonitorRefused`."""
        self._monitor_xid = self._xid()
        self._monitors += 1
        return [
            messages.request_forwards(self._xid()),
            messages.request_monitor(self._monitor_xid, self._monitors),
        ]

    def ask_groups(self, turn: int) -> list[bytes]:
        """Return the requests whose replies together become a `GroupsRead`."""
        self._groups = _GroupsReading(turn, self._xid(), self._xid(), self._xid(), self._xid())
        return [
            messages.request_groups(self._groups.groups_xid),
            messages.request_meters(self._groups.meters_xid),
            messages.request_config(self._groups.config_xid),
            messages.request_tables(self._groups.tables_xid),
        ]

    def reset(self, reset: SettingsReset) -> list[bytes]:
        """Return the requests that put settings back, and one for all ports: it becomes a `PortsRead`.

        If the switch refuses some of them, the first error becomes a `ResetRefused`.
        """
        self._ports, self._reset_xid = (self._xid(), []), self._xid()
        return [*encode_reset(self._reset_xid, reset), messages.request_ports(self._ports[0])]

    def send_plan(self, attempt: int, plan: Plan) -> list[bytes]:
        """Return the bundle whose replies become `PlanConfirmed` or `PlanRefused`."""
        xid = self._xid()
        bundle_id = xid & ~_OWN_XIDS
        self._reading, self._sending = None, _Sending(attempt, xid, bundle_id, plan)
        return encode_bundle(plan, xid, bundle_id)

    def look_up(self, number: int, cookie: int, mask: int) -> list[bytes]:
        """Return the request whose reply becomes `FlowsFound`; the switch reports only these flows."""
        xid = self._xid()
        if len(self._looked_up) >= _MOST_LOOKED_UP:
            del self._looked_up[next(iter(self._looked_up))]
        self._looked_up[xid] = _LookUp(number)
        return [messages.request_flows_of(xid, messages.ALL_TABLES, cookie, mask)]

    def look_up_parts(self, number: int, meters: Iterable[int], *, with_groups: bool) -> list[bytes]:
        """Return the requests whose replies together become `PartsFound`."""
        return self._parts.ask(number, meters, with_groups=with_groups)

    def take_outgoing(self) -> list[bytes]:
        """Return messages that have become due, once."""
        due, self._outgoing = self._outgoing, []
        return due

    def receive(self, buffer: bytes) -> Outcome | None:
        """Process one message of the switch. Raise `BadMessage` if it is not valid."""
        kind, xid = replies.header_of(buffer)
        if kind == Type.PORT_STATUS:
            return self._receive_port(buffer)
        if kind == Type.REQUEST_FORWARD:
            return GroupsTouched()
        if self._parts.is_about(xid):
            return self._parts.receive(kind, xid, buffer)
        if kind == Type.MULTIPART_REPLY:
            return self._receive_multipart(xid, buffer)
        if self._groups and xid in self._groups.settings_xids and kind in (Type.ERROR, Type.GET_CONFIG_REPLY):
            return self._receive_config(self._groups, xid, kind, buffer)
        if kind == Type.ERROR and self._monitor_xid and xid == self._monitor_xid:
            self._monitor_xid = 0
            return MonitorRefused(describe_error(replies.parse_error(buffer)))
        if kind == Type.ERROR and self._reset_xid and xid == self._reset_xid:
            self._reset_xid = 0
            return ResetRefused(describe_refusal(replies.parse_error(buffer)))
        if self._sending and xid == self._sending.xid:
            return self._receive_about_plan(self._sending, kind, buffer)
        return None

    def _receive_multipart(self, xid: int, buffer: bytes) -> Outcome | None:
        part = replies.parse_multipart(buffer)
        if part.kind == Multipart.FLOW_MONITOR:
            if xid == _UNASKED:
                return parse_updates(part.body)
            was_asked, self._monitor_xid = xid == self._monitor_xid, 0
            return MonitorStarted() if was_asked else None
        if xid in self._looked_up:
            return self._receive_found(xid, buffer)
        if self._groups and xid in self._groups.xids:
            return self._receive_groups(self._groups, xid, part)
        if xid == self._ports[0] and part.kind == Multipart.PORT_DESC:
            self._ports[1].extend(replies.parse_ports(part.body))
            return None if part.has_more else PortsRead(tuple(self._ports[1]))
        return self._receive_part(xid, buffer)

    def _receive_groups(
        self, reading: _GroupsReading, xid: int, part: replies.MultipartReply
    ) -> GroupsRead | None:
        if part.kind == Multipart.GROUP_DESC and xid == reading.groups_xid:
            for each in replies.parse_groups(part.body):
                reading.groups[each.group_id] = WireGroup(each.group_id, each.kind, each.buckets)
        elif part.kind == Multipart.METER_CONFIG and xid == reading.meters_xid:
            reading.meters |= {each.meter_id: each for each in replies.parse_meters(part.body)}
        elif part.kind == Multipart.TABLE_DESC and xid == reading.tables_xid:
            reading.tables |= {table: config for table, config in replies.parse_tables(part.body) if config}
            reading.settings = replace(reading.settings, tables=reading.tables)
        else:
            raise BadMessage(f"a reply of kind {part.kind} to a request for groups, meters or tables")
        return None if part.has_more else self._end_part(reading, xid)

    def _receive_config(
        self, reading: _GroupsReading, xid: int, kind: int, buffer: bytes
    ) -> GroupsRead | None:
        """A switch that refuses to show a setting is asked again in the next turn."""
        if kind == Type.GET_CONFIG_REPLY:
            fragments, length = replies.parse_config(buffer)
            reading.settings = replace(reading.settings, fragments=fragments, miss_send_len=length)
        return self._end_part(reading, xid)

    def _end_part(self, reading: _GroupsReading, xid: int) -> GroupsRead | None:
        reading.done.add(xid)
        if reading.done < reading.xids:
            return None
        self._groups = None
        return GroupsRead(reading.turn, reading.groups, reading.meters, reading.settings)

    def _receive_port(self, buffer: bytes) -> PortChanged:
        """What a port has become after the switch listed its ports is newer than that list."""
        reason, port = replies.parse_port_status(buffer)
        outcome = PortChanged(port, was_deleted=reason == 1)
        if self._reading and self._reading.ports_xid in self._reading.done:
            kept = [each for each in self._reading.ports if each.number != port.number]
            self._reading.ports = kept if outcome.was_deleted else [*kept, port]
        return outcome

    def _xid(self) -> int:
        self._next_xid = _OWN_XIDS | ((self._next_xid + 1) & ~_OWN_XIDS)
        return self._next_xid

    def _receive_found(self, xid: int, buffer: bytes) -> FlowsFound | None:
        part, known = replies.parse_multipart(buffer), self._looked_up[xid]
        found = [found_flow(flow) for flow in replies.parse_flows(part.body)]
        room = _MOST_FOUND - len(known.flows)
        known.flows += found[:room]
        known.is_whole &= len(found) <= room
        if part.has_more:
            return None
        del self._looked_up[xid]
        return FlowsFound(known.number, tuple(known.flows), known.is_whole)

    def _receive_part(self, xid: int, buffer: bytes) -> SwitchRead | None:
        reading = self._reading
        if not reading or xid not in reading.xids:
            return None
        part = replies.parse_multipart(buffer)
        if part.kind == Multipart.FLOW:
            reading.flows.extend(replies.parse_flows(part.body))
        elif part.kind == Multipart.GROUP_DESC:
            reading.groups.extend(replies.parse_groups(part.body))
        elif part.kind == Multipart.PORT_DESC:
            reading.ports.extend(replies.parse_ports(part.body))
        elif part.kind == Multipart.METER_CONFIG:
            reading.meters.extend(replies.parse_meters(part.body))
        if not part.has_more:
            reading.done.add(xid)
        if reading.done < reading.xids:
            return None
        self._reading = None
        state = installed_state(reading.flows, reading.groups, reading.meters)
        return SwitchRead(reading.attempt, state, tuple(reading.ports))

    def _receive_about_plan(self, sending: _Sending, kind: int, buffer: bytes) -> Outcome | None:
        if kind == Type.ERROR:
            self._sending = None
            self._outgoing += encode_discard(self._xid(), sending.bundle_id)
            return PlanRefused(sending.attempt, describe_refusal(replies.parse_error(buffer)))
        if kind == Type.BUNDLE_CONTROL:
            _, control = replies.parse_bundle_control(buffer)
            if control == BundleControl.COMMIT_REPLY and not sending.was_committed:
                sending.was_committed = True
                return PlanCommitted(sending.attempt)
        elif kind == Type.BARRIER_REPLY and sending.was_committed:
            self._sending = None
            return PlanConfirmed(sending.attempt)
        elif kind == Type.BARRIER_REPLY and not sending.is_filled:
            sending.is_filled = True
            self._outgoing += encode_commit(sending.xid, sending.bundle_id, sending.plan)
        return None
