"""Pending requests to one switch, and the matching of replies to requests. No socket: bytes in and out.

Turns the commands of `sync.session` into messages, and the switch's messages
into outcomes. Replies to abandoned requests are recognised by their xid and ignored.
"""

from dataclasses import dataclass, field

from controller.openflow import messages, replies
from controller.openflow.encode import encode_bundle, encode_commit, encode_discard, installed_state
from controller.openflow.messages import BundleControl, Multipart, Type
from controller.openflow.replies import InstalledFlow, InstalledGroup
from controller.sync.outcomes import (
    FlowsCounted,
    Outcome,
    PlanConfirmed,
    PlanRefused,
    Port,
    PortChanged,
    SwitchRead,
)
from controller.sync.plan import Plan
from controller.sync.state import WireMeter

_OWN_XIDS = 0x8000_0000  # keeps clear of the framework's own transaction ids
_MOST_COUNTING = 1_000  # pending requests for counts; older ones are abandoned
_ERROR_NAMES = {
    1: "bad request",
    2: "bad action",
    3: "bad instruction",
    4: "bad match",
    5: "flow-mod failed",
    6: "group-mod failed",
    17: "bundle failed",
}


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
class _Sending:
    attempt: int
    xid: int
    bundle_id: int
    plan: Plan
    is_filled: bool = False  # the switch has accepted every message of the bundle
    was_committed: bool = False


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
        self._counting: dict[int, tuple[int, int]] = {}  # cookie and packets so far, by the request's xid

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

    def send_plan(self, attempt: int, plan: Plan) -> list[bytes]:
        """Return the bundle whose replies become `PlanConfirmed` or `PlanRefused`."""
        xid = self._xid()
        bundle_id = xid & ~_OWN_XIDS
        self._reading, self._sending = None, _Sending(attempt, xid, bundle_id, plan)
        return encode_bundle(plan, xid, bundle_id)

    def ask_hits(self, table: int, cookie: int) -> list[bytes]:
        """Return the request whose reply becomes `FlowsCounted`."""
        xid = self._xid()
        if len(self._counting) >= _MOST_COUNTING:
            del self._counting[next(iter(self._counting))]
        self._counting[xid] = (cookie, 0)
        return [messages.request_flows_of(xid, table, cookie)]

    def take_outgoing(self) -> list[bytes]:
        """Return messages that have become due, once."""
        due, self._outgoing = self._outgoing, []
        return due

    def receive(self, buffer: bytes) -> Outcome | None:
        """Process one message of the switch. Raise `BadMessage` if it is not valid."""
        kind, xid = replies.header_of(buffer)
        if kind == Type.PORT_STATUS:
            reason, port = replies.parse_port_status(buffer)
            return PortChanged(port, was_deleted=reason == 1)
        if kind == Type.MULTIPART_REPLY and xid in self._counting:
            return self._receive_count(xid, buffer)
        if kind == Type.MULTIPART_REPLY:
            return self._receive_part(xid, buffer)
        if self._sending and xid == self._sending.xid:
            return self._receive_about_plan(self._sending, kind, buffer)
        return None

    def _xid(self) -> int:
        self._next_xid = _OWN_XIDS | ((self._next_xid + 1) & ~_OWN_XIDS)
        return self._next_xid

    def _receive_count(self, xid: int, buffer: bytes) -> FlowsCounted | None:
        part = replies.parse_multipart(buffer)
        cookie, packets = self._counting.pop(xid)
        packets += sum(flow.packets for flow in replies.parse_flows(part.body))
        if part.has_more:
            self._counting[xid] = (cookie, packets)
            return None
        return FlowsCounted(cookie, packets)

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
            return PlanRefused(sending.attempt, _describe(replies.parse_error(buffer)))
        if kind == Type.BUNDLE_CONTROL:
            _, control = replies.parse_bundle_control(buffer)
            sending.was_committed |= control == BundleControl.COMMIT_REPLY
        elif kind == Type.BARRIER_REPLY and sending.was_committed:
            self._sending = None
            return PlanConfirmed(sending.attempt)
        elif kind == Type.BARRIER_REPLY and not sending.is_filled:
            sending.is_filled = True
            self._outgoing += encode_commit(sending.xid, sending.bundle_id, sending.plan)
        return None


def _describe(error: replies.SwitchError) -> str:
    name = _ERROR_NAMES.get(error.kind, f"error type {error.kind}")
    return f"the switch refused: {name}, code {error.code} (message {error.failed_message[:64].hex()})"
