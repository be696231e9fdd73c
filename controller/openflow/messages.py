"""OpenFlow 1.4 messages to bytes: flow-mods, group-mods, bundles, requests.

Every function returns a whole message with its own transaction id (`xid`).
Source: OpenFlow Switch Specification 1.4.0; section numbers at each function.
"""

import struct
from enum import IntEnum

from controller.openflow.actions import encode_actions
from controller.pipeline.flows import CONTROLLER_NUMBER, Bucket, Group, Meter, Output
from controller.sync.state import WireFlow, WireGroup, WireMeter

VERSION = 5
MAX_MESSAGE_BYTES = 0xFFFF


class Type(IntEnum):
    HELLO = 0
    ERROR = 1
    EXPERIMENTER = 4
    PACKET_OUT = 13
    FLOW_MOD = 14
    GROUP_MOD = 15
    PORT_STATUS = 12
    MULTIPART_REQUEST = 18
    MULTIPART_REPLY = 19
    BARRIER_REQUEST = 20
    BARRIER_REPLY = 21
    METER_MOD = 29
    BUNDLE_CONTROL = 33
    BUNDLE_ADD = 34


class Multipart(IntEnum):
    FLOW = 1
    GROUP_DESC = 7
    METER_CONFIG = 10
    PORT_DESC = 13


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
_ALL_TABLES = 0xFF
_SELECT = 1
_ALL_METERS = 0xFFFF_FFFF
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


def request_meters(xid: int) -> bytes:
    """Ask for every meter (7.3.5.11)."""
    return message(
        Type.MULTIPART_REQUEST, xid, struct.pack("!HH4xI4x", Multipart.METER_CONFIG, 0, _ALL_METERS)
    )


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
    body += struct.pack("!B3xII4xQQ", _ALL_TABLES, _ANY, _ANY, 0, 0) + _encode_match(b"")
    return message(Type.MULTIPART_REQUEST, xid, body)


def request_flows_of(xid: int, table: int, cookie: int) -> bytes:
    """Ask for the flows of a table that have a cookie (7.3.5.2)."""
    body = struct.pack("!HH4x", Multipart.FLOW, 0)
    body += struct.pack("!B3xII4xQQ", table, _ANY, _ANY, cookie, 2**64 - 1) + _encode_match(b"")
    return message(Type.MULTIPART_REQUEST, xid, body)


def request_groups(xid: int) -> bytes:
    return message(Type.MULTIPART_REQUEST, xid, struct.pack("!HH4x", Multipart.GROUP_DESC, 0))


def request_ports(xid: int) -> bytes:
    return message(Type.MULTIPART_REQUEST, xid, struct.pack("!HH4x", Multipart.PORT_DESC, 0))
