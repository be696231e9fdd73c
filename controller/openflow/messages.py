"""OpenFlow 1.4 messages to bytes: flow-mods, group-mods, bundles, requests.

Every function returns a whole message with its own transaction id (`xid`).
Source: OpenFlow Switch Specification 1.4.0; section numbers at each function.
"""

import struct
from enum import IntEnum, IntFlag

from controller.openflow.actions import encode_actions
from controller.pipeline.flows import CONTROLLER_NUMBER, Bucket, Group, Meter, Output
from controller.sync.state import WireFlow, WireGroup, WireMeter

VERSION = 5
MAX_MESSAGE_BYTES = 0xFFFF


class Type(IntEnum):
    HELLO = 0
    ERROR = 1
    EXPERIMENTER = 4
    GET_CONFIG_REQUEST = 7
    GET_CONFIG_REPLY = 8
    SET_CONFIG = 9
    PORT_STATUS = 12
    PACKET_OUT = 13
    FLOW_MOD = 14
    GROUP_MOD = 15
    PORT_MOD = 16
    TABLE_MOD = 17
    MULTIPART_REQUEST = 18
    MULTIPART_REPLY = 19
    BARRIER_REQUEST = 20
    BARRIER_REPLY = 21
    SET_ASYNC = 28
    METER_MOD = 29
    REQUEST_FORWARD = 32
    BUNDLE_CONTROL = 33
    BUNDLE_ADD = 34


class Multipart(IntEnum):
    FLOW = 1
    GROUP_DESC = 7
    METER_CONFIG = 10
    PORT_DESC = 13
    TABLE_DESC = 14
    FLOW_MONITOR = 16


class MonitorFlag(IntFlag):
    """What a monitor reports (OFPFMF_*). Without `NO_ABBREV`, our own changes come as their xid only."""

    INITIAL = 1
    ADD = 2
    REMOVED = 4
    MODIFY = 8
    INSTRUCTIONS = 16
    NO_ABBREV = 32
    ONLY_OWN = 64


class MonitorEvent(IntEnum):
    """OFPFME_*"""

    INITIAL = 0
    ADDED = 1
    REMOVED = 2
    MODIFIED = 3
    ABBREV = 4
    PAUSED = 5
    RESUMED = 6


class RemovedReason(IntEnum):
    """OFPRR_*, as far as it matters why a flow is gone."""

    GROUP_DELETE = 3
    METER_DELETE = 4


class FlowCommand(IntEnum):
    ADD = 0
    DELETE = 3
    DELETE_STRICT = 4


class GroupCommand(IntEnum):
    ADD = 0
    MODIFY = 1
    DELETE = 2


class MeterCommand(IntEnum):
    ADD = 0
    MODIFY = 1
    DELETE = 2


class BundleControl(IntEnum):
    OPEN_REQUEST = 0
    OPEN_REPLY = 1
    CLOSE_REQUEST = 2
    CLOSE_REPLY = 3
    COMMIT_REQUEST = 4
    COMMIT_REPLY = 5
    DISCARD_REQUEST = 6
    DISCARD_REPLY = 7


ATOMIC_ORDERED = 0x3
_NO_BUFFER = 0xFFFF_FFFF
_ANY = 0xFFFF_FFFF
ALL_TABLES = 0xFF
_SELECT = 1
ALL_METERS = 0xFFFF_FFFF
_DROP_BAND = 1
_PACKETS_BURST_STATS = 0x2 | 0x4 | 0x8


def message(kind: int, xid: int, body: bytes = b"") -> bytes:
    """Return a message with its header (7.1.1). Raise `ValueError` past 65,535 bytes."""
    length = 8 + len(body)
    if length > MAX_MESSAGE_BYTES:
        raise ValueError(
            f"an OpenFlow message has at most {MAX_MESSAGE_BYTES} bytes, but this one has {length}"
        )
    return struct.pack("!BBHI", VERSION, kind, length, xid) + body


def _encode_match(oxm: bytes) -> bytes:
    length = 4 + len(oxm)
    return struct.pack("!HH", 1, length) + oxm + bytes(-length % 8)


_FLOW_MOD_HEAD = struct.Struct("!QQBBHHHIIIHH")


def _flow_mod(xid: int, cookie: int, command: int, flow: WireFlow, instructions: bytes) -> bytes:
    # cookie, its mask, table, command, time-outs, priority, buffer, out port and group, flags, importance
    head = _FLOW_MOD_HEAD.pack(
        cookie, 0, flow.key.table, command, 0, 0, flow.key.priority, _NO_BUFFER, _ANY, _ANY, 0, 0
    )
    return message(Type.FLOW_MOD, xid, head + _encode_match(flow.wire_fields) + instructions)


def add_flow(xid: int, flow: WireFlow) -> bytes:
    """Add a flow, or replace the one with the same table, priority and match (6.4)."""
    return _flow_mod(xid, flow.cookie, FlowCommand.ADD, flow, flow.instructions)


def delete_flow(xid: int, flow: WireFlow) -> bytes:
    """Delete exactly this flow."""
    return _flow_mod(xid, 0, FlowCommand.DELETE_STRICT, flow, b"")


def encode_bucket(bucket: Bucket) -> bytes:
    actions = encode_actions(bucket.actions)
    port, group = bucket.watch_port or _ANY, bucket.watch_group or _ANY
    return struct.pack("!HHII4x", 16 + len(actions), bucket.weight, port, group) + actions


def encode_buckets(group: Group) -> bytes:
    return b"".join(map(encode_bucket, group.buckets))


def put_group(xid: int, command: GroupCommand, group: WireGroup) -> bytes:
    """Add or replace a group as a whole (7.3.4.4)."""
    body = struct.pack("!HBxI", command, group.kind, group.group_id) + group.buckets
    return message(Type.GROUP_MOD, xid, body)


def delete_group(xid: int, group_id: int) -> bytes:
    """Delete a group; the switch also deletes flows that use it (7.3.4.4)."""
    return message(Type.GROUP_MOD, xid, struct.pack("!HBxI", GroupCommand.DELETE, _SELECT, group_id))


def meter_to_wire(meter: Meter) -> WireMeter:
    """Return a meter in packets per second that drops the rest, with a burst of one second (7.3.4.5)."""
    band = struct.pack("!HHII4x", _DROP_BAND, 16, meter.packets_per_s, meter.packets_per_s)
    return WireMeter(meter.meter_id, struct.pack("!H", _PACKETS_BURST_STATS) + band)


def put_meter(xid: int, command: MeterCommand, meter: WireMeter) -> bytes:
    """Add or replace a meter (7.3.4.5)."""
    flags, bands = meter.body[:2], meter.body[2:]
    return message(
        Type.METER_MOD, xid, struct.pack("!H", command) + flags + meter.meter_id.to_bytes(4) + bands
    )


def delete_meter(xid: int, meter_id: int) -> bytes:
    """Delete a meter; the switch also deletes flows that use it (7.3.4.5)."""
    return message(Type.METER_MOD, xid, struct.pack("!HHI", MeterCommand.DELETE, 0, meter_id))


def request_meters(xid: int, meter: int = ALL_METERS) -> bytes:
    """Ask for a meter, or for every one (7.3.5.11)."""
    return message(Type.MULTIPART_REQUEST, xid, struct.pack("!HH4xI4x", Multipart.METER_CONFIG, 0, meter))


def bundle_control(xid: int, bundle_id: int, control: BundleControl) -> bytes:
    """Open, close, commit or discard a bundle (7.3.9.2)."""
    return message(Type.BUNDLE_CONTROL, xid, struct.pack("!IHH", bundle_id, control, ATOMIC_ORDERED))


def packet_out(xid: int, port: int, frame: bytes) -> bytes:
    """Make the switch send a frame out of a port (7.3.7)."""
    actions = encode_actions((Output(port),))
    head = struct.pack("!IIH6x", _NO_BUFFER, CONTROLLER_NUMBER, len(actions))
    return message(Type.PACKET_OUT, xid, head + actions + frame)


def barrier(xid: int) -> bytes:
    return message(Type.BARRIER_REQUEST, xid)


def request_flows(xid: int) -> bytes:
    """Ask for every flow of every table (7.3.5.2)."""
    body = struct.pack("!HH4x", Multipart.FLOW, 0)
    body += struct.pack("!B3xII4xQQ", ALL_TABLES, _ANY, _ANY, 0, 0) + _encode_match(b"")
    return message(Type.MULTIPART_REQUEST, xid, body)


def request_flows_of(xid: int, table: int, cookie: int, mask: int = 2**64 - 1) -> bytes:
    """Ask for the flows of a table, or of all, whose cookies have some bits (7.3.5.2)."""
    body = struct.pack("!HH4x", Multipart.FLOW, 0)
    body += struct.pack("!B3xII4xQQ", table, _ANY, _ANY, cookie, mask) + _encode_match(b"")
    return message(Type.MULTIPART_REQUEST, xid, body)


def request_groups(xid: int) -> bytes:
    return message(Type.MULTIPART_REQUEST, xid, struct.pack("!HH4x", Multipart.GROUP_DESC, 0))


def request_ports(xid: int) -> bytes:
    return message(Type.MULTIPART_REQUEST, xid, struct.pack("!HH4x", Multipart.PORT_DESC, 0))


def request_config(xid: int) -> bytes:
    """Ask what the switch does with fragments (7.3.2)."""
    return message(Type.GET_CONFIG_REQUEST, xid)


def request_tables(xid: int) -> bytes:
    """Ask for the settings of every table (7.3.5.19)."""
    return message(Type.MULTIPART_REQUEST, xid, struct.pack("!HH4x", Multipart.TABLE_DESC, 0))


def set_config(xid: int, fragments: int, miss_send_len: int) -> bytes:
    """Set what the switch does with fragments (7.3.2)."""
    return message(Type.SET_CONFIG, xid, struct.pack("!HH", fragments, miss_send_len))


def set_port(xid: int, number: int, mac: bytes, config: int, mask: int) -> bytes:
    """Set some bits of a port's configuration (7.3.4.3). The MAC makes sure that it is the same port."""
    return message(Type.PORT_MOD, xid, struct.pack("!I4x6s2xII", number, mac, config, mask))


def set_table(xid: int, table: int, config: int) -> bytes:
    """Set the configuration of a table (7.3.4.1)."""
    return message(Type.TABLE_MOD, xid, struct.pack("!B3xI", table, config))


_CHANGES = MonitorFlag.ADD | MonitorFlag.REMOVED | MonitorFlag.MODIFY | MonitorFlag.INSTRUCTIONS
_FORWARDS_AS_SLAVE, _FORWARDS_AS_MASTER = 10, 11  # OFPACPT_REQUESTFORWARD_*
_OF_GROUPS_AND_METERS = 3  # 1 << OFPRFR_GROUP_MOD | 1 << OFPRFR_METER_MOD


def request_monitor(xid: int, monitor_id: int) -> bytes:
    """Ask for a report of each change of a flow by another client (7.3.5.17).

    Never with the same id twice on one connection: Open vSwitch 3.1 answers that with an error that contains
    44 KB of its memory.
    """
    body = struct.pack("!HH4x", Multipart.FLOW_MONITOR, 0)
    body += struct.pack("!IIIHBB", monitor_id, _ANY, _ANY, _CHANGES, ALL_TABLES, 0) + _encode_match(b"")
    return message(Type.MULTIPART_REQUEST, xid, body)


def request_forwards(xid: int) -> bytes:
    """Ask to be told when another client changes a group or a meter (7.3.10, 7.4.6).

    It changes nothing about the other kinds of messages. There is no reply.
    """
    properties = (_FORWARDS_AS_SLAVE, _FORWARDS_AS_MASTER)
    masks = b"".join(struct.pack("!HHI", each, 8, _OF_GROUPS_AND_METERS) for each in properties)
    return message(Type.SET_ASYNC, xid, masks)
