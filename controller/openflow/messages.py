"""OpenFlow 1.4 messages to bytes: flow-mods, group-mods, bundles, requests.

Every function returns a whole message with its own transaction id (`xid`).
Source: OpenFlow Switch Specification 1.4.0; section numbers at each function.
"""

import struct
from enum import IntEnum

from controller.openflow.actions import encode_actions, encode_instructions
from controller.openflow.oxm import encode_fields
from controller.pipeline.flows import Bucket, Flow, FlowKey, Group

VERSION = 5
MAX_MESSAGE_BYTES = 0xFFFF


class Type(IntEnum):
    HELLO = 0
    ERROR = 1
    FLOW_MOD = 14
    GROUP_MOD = 15
    PORT_STATUS = 12
    MULTIPART_REQUEST = 18
    MULTIPART_REPLY = 19
    BARRIER_REQUEST = 20
    BARRIER_REPLY = 21
    BUNDLE_CONTROL = 33
    BUNDLE_ADD = 34


class Multipart(IntEnum):
    FLOW = 1
    GROUP_DESC = 7
    PORT_DESC = 13


class FlowCommand(IntEnum):
    ADD = 0
    DELETE = 3
    DELETE_STRICT = 4


class GroupCommand(IntEnum):
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


def message(kind: int, xid: int, body: bytes = b"") -> bytes:
    """Return a message with its header (7.1.1). Raise `ValueError` past 65,535 bytes."""
    length = 8 + len(body)
    if length > MAX_MESSAGE_BYTES:
        raise ValueError(f"an OpenFlow message holds {MAX_MESSAGE_BYTES} bytes, this one has {length}")
    return struct.pack("!BBHI", VERSION, kind, length, xid) + body


def _encode_match(oxm: bytes) -> bytes:
    length = 4 + len(oxm)
    return struct.pack("!HH", 1, length) + oxm + bytes(-length % 8)


def _flow_mod(xid: int, cookie: int, command: int, key: FlowKey, instructions: bytes) -> bytes:
    head = struct.pack(
        "!QQBBHHHIIIHH",
        cookie,
        0,
        key.table,
        command,
        0,
        0,
        key.priority,
        _NO_BUFFER,
        _ANY,
        _ANY,
        0,
        0,
    )
    return message(Type.FLOW_MOD, xid, head + _encode_match(encode_fields(key.match)) + instructions)


def add_flow(xid: int, flow: Flow) -> bytes:
    """Add a flow, or replace the one with the same table, priority and match (6.4)."""
    instructions = encode_instructions(flow.actions, flow.goto)
    return _flow_mod(xid, flow.cookie, FlowCommand.ADD, flow.key, instructions)


def delete_flow_raw(xid: int, table: int, priority: int, fields: bytes) -> bytes:
    """Delete exactly one flow, named by the bytes in which the switch reported it."""
    head = struct.pack(
        "!QQBBHHHIIIHH",
        0,
        0,
        table,
        FlowCommand.DELETE_STRICT,
        0,
        0,
        priority,
        _NO_BUFFER,
        _ANY,
        _ANY,
        0,
        0,
    )
    return message(Type.FLOW_MOD, xid, head + _encode_match(fields))


def encode_bucket(bucket: Bucket) -> bytes:
    actions = encode_actions(bucket.actions)
    return struct.pack("!HHII4x", 16 + len(actions), bucket.weight, _ANY, _ANY) + actions


def encode_buckets(group: Group) -> bytes:
    return b"".join(map(encode_bucket, group.buckets))


def put_group(xid: int, command: GroupCommand, group: Group) -> bytes:
    """Add or replace a select group as a whole (7.3.4.4)."""
    body = struct.pack("!HBxI", command, _SELECT, group.group_id) + encode_buckets(group)
    return message(Type.GROUP_MOD, xid, body)


def delete_group(xid: int, group_id: int) -> bytes:
    """Delete a group; the switch also deletes flows that use it (7.3.4.4)."""
    return message(Type.GROUP_MOD, xid, struct.pack("!HBxI", GroupCommand.DELETE, _SELECT, group_id))


def bundle_control(xid: int, bundle_id: int, control: BundleControl) -> bytes:
    """Open, close, commit or discard a bundle (7.3.9.2)."""
    return message(Type.BUNDLE_CONTROL, xid, struct.pack("!IHH", bundle_id, control, ATOMIC_ORDERED))


def bundle_add(xid: int, bundle_id: int, inner: bytes) -> bytes:
    """Put one message into an open bundle; both carry the same xid (7.3.9.3)."""
    head = struct.pack("!I2xH", bundle_id, ATOMIC_ORDERED)
    return message(Type.BUNDLE_ADD, xid, head + inner[:4] + xid.to_bytes(4) + inner[8:])


def barrier(xid: int) -> bytes:
    return message(Type.BARRIER_REQUEST, xid)


def request_flows(xid: int) -> bytes:
    """Ask for every flow of every table (7.3.5.2)."""
    body = struct.pack("!HH4x", Multipart.FLOW, 0)
    body += struct.pack("!B3xII4xQQ", _ALL_TABLES, _ANY, _ANY, 0, 0) + _encode_match(b"")
    return message(Type.MULTIPART_REQUEST, xid, body)


def request_groups(xid: int) -> bytes:
    return message(Type.MULTIPART_REQUEST, xid, struct.pack("!HH4x", Multipart.GROUP_DESC, 0))


def request_ports(xid: int) -> bytes:
    return message(Type.MULTIPART_REQUEST, xid, struct.pack("!HH4x", Multipart.PORT_DESC, 0))
