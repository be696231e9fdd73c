"""A switch that keeps what it is told, message by message, as OpenFlow 1.4 says. No packets, no socket.

Knows the demands that a plan can break: a group must not be there yet to be added,
must be there to be modified, and takes the flows that use it along when it goes.
`tests/ovs/test_fake_switch.py` holds it against a real one.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from controller.openflow.messages import (
    ALL_METERS,
    BundleControl,
    FlowCommand,
    GroupCommand,
    MeterCommand,
    Multipart,
    Type,
    message,
)
from controller.openflow.oxm import canonical

_ECHO_REQUEST, _ECHO_REPLY = 2, 3
_GROUP_ACTION = 22
_APPLY_ACTIONS, _METER = 4, 6
_FLOW_MOD = struct.Struct("!QQBBHHHIIIHH")
_FLOW_STATS = struct.Struct("!HBxIIHHHHHxxQQQ")
_MORE = 1
_FLOWS_IN_A_PART = 50

Key = tuple[int, int, bytes]


class Refused(Exception):
    """The switch answers with an error of this kind and code."""


@dataclass(frozen=True, slots=True)
class HeldFlow:
    cookie: int
    fields: bytes
    instructions: bytes
    packets: int = 0
    age_s: int = 0


@dataclass
class Tables:
    flows: dict[Key, HeldFlow] = field(default_factory=dict)
    groups: dict[int, tuple[int, bytes]] = field(default_factory=dict)  # number -> kind, buckets
    meters: dict[int, bytes] = field(default_factory=dict)  # number -> flags and bands

    def copy(self) -> "Tables":
        return Tables(dict(self.flows), dict(self.groups), self.meters)

    def meter_mod(self, body: bytes) -> None:
        command, flags, number = struct.unpack_from("!H2sI", body)
        if command == MeterCommand.DELETE:
            self.meters.pop(number, None)
            users = [key for key, flow in self.flows.items() if number in meters_used(flow.instructions)]
            for key in users:
                del self.flows[key]
            return
        is_new = number not in self.meters
        if is_new is not (command == MeterCommand.ADD):
            raise Refused(12, 3 if is_new else 1)  # unknown meter; meter exists
        self.meters[number] = flags + body[8:]

    def carry_out(self, inner: bytes) -> None:
        """Carry out one flow-mod or group-mod. Raise `Refused`."""
        if inner[1] == Type.FLOW_MOD:
            self._flow_mod(inner[8:])
        elif inner[1] == Type.GROUP_MOD:
            self._group_mod(inner[8:])
        else:
            raise Refused(17, 6)  # a message that no bundle holds

    def _flow_mod(self, body: bytes) -> None:
        cookie, _, table, command, _, _, priority, *_ = _FLOW_MOD.unpack_from(body)
        (match_length,) = struct.unpack_from("!H", body, 42)
        fields = body[44 : 40 + match_length]
        instructions = body[40 + (match_length + 7) // 8 * 8 :]
        key = (table, priority, canonical(fields))
        if command == FlowCommand.DELETE_STRICT:
            self.flows.pop(key, None)
            return
        assert command == FlowCommand.ADD
        if not groups_used(instructions) <= set(self.groups):
            raise Refused(2, 9)  # bad out group
        if not meters_used(instructions) <= set(self.meters):
            raise Refused(12, 3)  # unknown meter
        self.flows[key] = HeldFlow(cookie, fields, instructions)

    def _group_mod(self, body: bytes) -> None:
        command, kind, number = struct.unpack_from("!HBxI", body)
        if command == GroupCommand.DELETE:
            self.groups.pop(number, None)
            users = [key for key, flow in self.flows.items() if number in groups_used(flow.instructions)]
            for key in users:
                del self.flows[key]
            return
        is_new = number not in self.groups
        if is_new is not (command == GroupCommand.ADD):
            raise Refused(6, 8 if is_new else 0)  # unknown group; group exists
        self.groups[number] = (kind, body[8:])


class Monitors(Enum):
    """What a switch does when it is asked for a flow monitor."""

    GRANTED = "granted"
    REFUSED = "refused"
    IGNORED = "ignored"


class FakeSwitch:
    """Give it whole messages; it returns whole replies."""

    def __init__(self, ports: int = 11, monitors: Monitors = Monitors.GRANTED) -> None:
        self.tables = Tables()
        self.ports = ports
        self.monitors = monitors
        self.refuses = False  # to commit anything
        self.port_config: dict[int, int] = {}
        self.foreign_ports: dict[int, str] = {}  # and their names
        self.missing_ports: set[int] = set()
        self.fragments, self.miss_send_len = 0, 128
        self.table_config: dict[int, int] = {}
        self.shows_settings = True
        self.refuses_settings = self.ignores_settings = False  # and ports
        self._is_monitored = False
        self._forwards = False
        self._bundles: dict[int, list[bytes]] = {}

    def change(self, *requests: bytes) -> list[bytes]:
        """Carry out flow-mods, group-mods and meter-mods of another client; return what ours is told."""
        said = []
        for request in requests:
            before, kind = dict(self.tables.flows), request[1]
            if kind == Type.METER_MOD:
                self.tables.meter_mod(request[8:])
            else:
                self.tables.carry_out(request)
            if kind != Type.FLOW_MOD and self._forwards:
                said.append(message(Type.REQUEST_FORWARD, 0, request))
            reason = {Type.GROUP_MOD: 3, Type.METER_MOD: 4}.get(Type(kind), 2)
            said += self._updates(before, reason)
        return said

    def delete_all_flows(self) -> list[bytes]:
        """Do what `ovs-ofctl del-flows` does; return what our own client is told."""
        before, self.tables.flows = self.tables.flows, {}
        return self._updates(before, 2)

    def _updates(self, before: dict[Key, HeldFlow], reason: int) -> list[bytes]:
        if not self._is_monitored:
            return []
        now = self.tables.flows
        gone = [encode_update(2, reason, key, flow) for key, flow in before.items() if key not in now]
        added = [encode_update(1, 0, key, flow) for key, flow in now.items() if before.get(key) != flow]
        updates = [*gone, *added]
        parts = [updates[at : at + _FLOWS_IN_A_PART] for at in range(0, len(updates), _FLOWS_IN_A_PART)]
        return [self._report(b"".join(part)) for part in parts]

    def _report(self, updates: bytes) -> bytes:
        return message(Type.MULTIPART_REPLY, 0, struct.pack("!HH4x", Multipart.FLOW_MONITOR, 0) + updates)

    def _monitor(self, xid: int) -> Iterator[bytes]:
        if self.monitors is Monitors.REFUSED:
            raise Refused(1, 2)  # bad multipart
        if self.monitors is Monitors.GRANTED:
            self._is_monitored = True
            yield message(Type.MULTIPART_REPLY, xid, struct.pack("!HH4x", Multipart.FLOW_MONITOR, 0))

    def restart(self) -> None:
        """Forget everything, as a switch does that lost its power."""
        self.tables = Tables()
        self.disconnect()
        self._bundles = {}

    def disconnect(self) -> None:
        """Forget what was requested on a connection that is gone: its monitor, its open bundles."""
        self._is_monitored = self._forwards = False
        self._bundles = {}

    def receive(self, sent: bytes) -> list[bytes]:
        """Return the replies to one message."""
        _, kind, length, xid = struct.unpack_from("!BBHI", sent)
        assert length == len(sent)
        try:
            return list(self._replies(kind, xid, sent))
        except Refused as refused:
            error_kind, code = refused.args
            return [message(Type.ERROR, xid, struct.pack("!HH", error_kind, code) + sent[:64])]

    def _replies(self, kind: int, xid: int, sent: bytes) -> Iterator[bytes]:
        if kind == _ECHO_REQUEST:
            yield message(_ECHO_REPLY, xid, sent[8:])
        elif kind == Type.BARRIER_REQUEST:
            yield message(Type.BARRIER_REPLY, xid)
        elif kind == Type.MULTIPART_REQUEST:
            yield from self._multipart(xid, sent)
        elif kind == Type.BUNDLE_ADD:
            (bundle,) = struct.unpack_from("!I", sent, 8)
            if bundle not in self._bundles:
                raise Refused(17, 2)  # bad id
            self._bundles[bundle].append(sent[16:])
        elif kind == Type.BUNDLE_CONTROL:
            yield from self._bundle_control(xid, sent)
        elif kind == Type.METER_MOD:
            self.tables.meter_mod(sent[8:])
        elif kind in (Type.GET_CONFIG_REQUEST, Type.SET_CONFIG, Type.PORT_MOD, Type.TABLE_MOD):
            yield from self._settings(kind, xid, sent)
        elif kind in (Type.FLOW_MOD, Type.GROUP_MOD):
            self.tables.carry_out(sent)
        self._forwards |= kind == Type.SET_ASYNC

    def _settings(self, kind: int, xid: int, sent: bytes) -> Iterator[bytes]:
        if kind == Type.GET_CONFIG_REQUEST:
            if not self.shows_settings:
                raise Refused(1, 1)  # bad type
            yield message(Type.GET_CONFIG_REPLY, xid, struct.pack("!HH", self.fragments, self.miss_send_len))
        elif self.refuses_settings:
            raise Refused(7, 4)  # that is not allowed
        elif self.ignores_settings:
            return
        elif kind == Type.SET_CONFIG:
            self.fragments, self.miss_send_len = struct.unpack_from("!HH", sent, 8)
        elif kind == Type.TABLE_MOD:
            table, config = struct.unpack_from("!B3xI", sent, 8)
            self.table_config[table] = config
        else:
            number, mac, config, mask = struct.unpack_from("!I4x6s2xII", sent, 8)
            if number not in self.port_numbers or mac != mac_of(number):
                raise Refused(7, 1)  # bad hardware address
            self.set_port(number, self.port_config.get(number, 0) & ~mask | config & mask)

    @property
    def port_numbers(self) -> list[int]:
        return sorted({*range(1, self.ports + 1), *self.foreign_ports} - self.missing_ports)

    def set_port(self, number: int, config: int) -> bytes:
        """Set a port's configuration; return what our own client is told."""
        self.port_config[number] = config
        return message(Type.PORT_STATUS, 0, struct.pack("!B7x", 2) + self._port(number))

    def remove_port(self, number: int) -> bytes:
        """Return what our own client is told."""
        said = message(Type.PORT_STATUS, 0, struct.pack("!B7x", 1) + self._port(number))
        self.foreign_ports.pop(number, None)
        self.missing_ports.add(number)
        return said

    def add_port(self, number: int, name: str = "") -> bytes:
        """Return what our own client is told."""
        self.missing_ports.discard(number)
        if name:
            self.foreign_ports[number] = name
        return message(Type.PORT_STATUS, 0, struct.pack("!B7x", 0) + self._port(number))

    def _port(self, number: int) -> bytes:
        config = self.port_config.get(number, 0)
        return encode_port(number, bool(config & 1), config, self.foreign_ports.get(number, ""))

    def _multipart(self, xid: int, sent: bytes) -> Iterator[bytes]:
        kind, cookie, mask = struct.unpack_from("!H", sent, 8)[0], 0, 0
        if kind == Multipart.FLOW_MONITOR:
            yield from self._monitor(xid)
            return
        if kind == Multipart.FLOW:
            cookie, mask = struct.unpack_from("!QQ", sent, 32)
        if kind == Multipart.METER_CONFIG:
            (mask,) = struct.unpack_from("!I", sent, 16)
            if mask != ALL_METERS and mask not in self.tables.meters:
                raise Refused(12, 3)  # unknown meter
        yield from self._parts(kind, xid, cookie, mask)

    def _bundle_control(self, xid: int, sent: bytes) -> Iterator[bytes]:
        before = self.tables.flows
        control = self._control(xid, *struct.unpack_from("!IHH", sent, 8))
        if self._is_monitored and self.tables.flows != before:
            yield self._report(struct.pack("!HHI", 8, 4, xid))
        yield control

    def _control(self, xid: int, bundle: int, control: int, flags: int) -> bytes:
        if control == BundleControl.OPEN_REQUEST:
            self._bundles[bundle] = []
        elif bundle not in self._bundles:
            raise Refused(17, 2)
        elif control == BundleControl.DISCARD_REQUEST:
            del self._bundles[bundle]
        else:
            assert control == BundleControl.COMMIT_REQUEST
            if self.refuses:
                raise Refused(6, 3)  # its group table is full
            draft = self.tables.copy()
            for inner in self._bundles.pop(bundle):
                draft.carry_out(inner)
            self.tables = draft  # all or nothing
        return message(Type.BUNDLE_CONTROL, xid, struct.pack("!IHH", bundle, control + 1, flags))

    def _parts(self, kind: int, xid: int, cookie: int, mask: int) -> Iterator[bytes]:
        if kind == Multipart.FLOW:
            entries = [
                encode_flow_stats(key, flow)
                for key, flow in self.tables.flows.items()
                if flow.cookie & mask == cookie & mask
            ]
        elif kind == Multipart.GROUP_DESC:
            entries = [
                struct.pack("!HBxI", 8 + len(buckets), group_kind, number) + buckets
                for number, (group_kind, buckets) in self.tables.groups.items()
            ]
        elif kind == Multipart.METER_CONFIG:
            entries = [
                struct.pack("!H2sI", 6 + len(body), body[:2], number) + body[2:]
                for number, body in self.tables.meters.items()
                if mask in (number, ALL_METERS)
            ]
        elif kind == Multipart.TABLE_DESC:
            if not self.shows_settings:
                raise Refused(1, 2)  # bad multipart
            entries = [
                struct.pack("!HBxI", 8, table, self.table_config.get(table, 0)) for table in range(254)
            ]
        else:
            entries = [self._port(number) for number in self.port_numbers]
        parts = [entries[at : at + _FLOWS_IN_A_PART] for at in range(0, len(entries), _FLOWS_IN_A_PART)] or [
            []
        ]
        for number, part in enumerate(parts, 1):
            flags = _MORE if number < len(parts) else 0
            yield message(Type.MULTIPART_REPLY, xid, struct.pack("!HH4x", kind, flags) + b"".join(part))


def groups_used(instructions: bytes) -> set[int]:
    """Return the groups that the instructions of a flow lead to."""
    used = set()
    for kind, instruction in _tlvs(instructions):
        if kind == _APPLY_ACTIONS:
            for action_kind, action in _tlvs(instruction[8:]):
                if action_kind == _GROUP_ACTION:
                    used.add(struct.unpack_from("!I", action, 4)[0])
    return used


def meters_used(instructions: bytes) -> set[int]:
    """Return the meters that the packets of a flow pass."""
    return {
        struct.unpack_from("!I", instruction, 4)[0]
        for kind, instruction in _tlvs(instructions)
        if kind == _METER
    }


def _tlvs(buffer: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(buffer):
        kind, length = struct.unpack_from("!HH", buffer, at)
        yield kind, buffer[at : at + length]
        at += length


def encode_flow_stats(key: Key, flow: HeldFlow) -> bytes:
    match_length = 4 + len(flow.fields)
    match = struct.pack("!HH", 1, match_length) + flow.fields + bytes(-match_length % 8)
    length = _FLOW_STATS.size + len(match) + len(flow.instructions)
    table, priority, _ = key
    octets = 100 * flow.packets
    head = _FLOW_STATS.pack(
        length, table, flow.age_s, 0, priority, 0, 0, 0, 0, flow.cookie, flow.packets, octets
    )
    return head + match + flow.instructions


def encode_update(event: int, reason: int, key: Key, flow: HeldFlow) -> bytes:
    """Return an ofp_flow_update_full (OpenFlow 1.4.1, 7.3.5.18)."""
    match_length = 4 + len(flow.fields)
    match = struct.pack("!HH", 1, match_length) + flow.fields + bytes(-match_length % 8)
    table, priority, _ = key
    body = match + flow.instructions
    head = struct.pack("!HHBBHHH4xQ", 24 + len(body), event, table, reason, 0, 0, priority, flow.cookie)
    return head + body


def mac_of(number: int) -> bytes:
    return (0x02_70_00_00_00_00 | number).to_bytes(6)


def encode_port(number: int, is_down: bool = False, config: int = 0, name: str = "") -> bytes:
    """Return an ofp_port with no properties (7.2.1)."""
    called = (name or f"p{number}").encode()
    return struct.pack("!IH2x6s2x16sII", number, 40, mac_of(number), called, config, int(is_down))
