"""Messages from a switch, bytes to values. Everything that a switch sends is bounded and checked.

Raises `BadMessage` if lengths do not match; never reads past the message.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from controller.openflow.messages import Type
from controller.openflow.oxm import canonical
from controller.sync.outcomes import Fragments, Port, PortConfig, TableConfig
from controller.sync.state import WireMeter

_FLOW_HEAD = struct.Struct("!HBxIIHHHHHxxQQQ")
_MORE = 1
_FRAGMENTS = 3  # OFPC_FRAG_MASK


class BadMessage(Exception):
    """The switch sent bytes that are not valid OpenFlow 1.4."""


@dataclass(frozen=True, slots=True)
class InstalledFlow:
    """A flow as the switch reports it; `fields` and `instructions` are canonical bytes."""

    table: int
    priority: int
    fields: bytes
    cookie: int
    instructions: bytes
    wire_fields: bytes  # the match in the switch's own order
    duration_s: int = 0
    packets: int = 0
    bytes: int = 0
    expires: int = 0  # idle and hard time-out in seconds, `idle << 16 | hard`


@dataclass(frozen=True, slots=True)
class InstalledGroup:
    group_id: int
    kind: int
    buckets: bytes


@dataclass(frozen=True, slots=True)
class MultipartReply:
    kind: int
    has_more: bool
    body: bytes


@dataclass(frozen=True, slots=True)
class SwitchError:
    kind: int
    code: int
    failed_message: bytes  # at least its first 64 bytes


def header_of(buffer: bytes) -> tuple[int, int]:
    """Return (type, xid) of a message."""
    if len(buffer) < 8:
        raise BadMessage("truncated header")
    _, kind, length, xid = struct.unpack_from("!BBHI", buffer)
    if length != len(buffer):
        raise BadMessage(f"header says {length} bytes, message has {len(buffer)}")
    return kind, xid


def parse_multipart(buffer: bytes) -> MultipartReply:
    if len(buffer) < 16 or buffer[1] != Type.MULTIPART_REPLY:
        raise BadMessage("not a multipart reply")
    kind, flags = struct.unpack_from("!HH", buffer, 8)
    return MultipartReply(kind, bool(flags & _MORE), buffer[16:])


def _entries(body: bytes, head_size: int) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        if at + head_size > len(body):
            raise BadMessage("truncated entry")
        (length,) = struct.unpack_from("!H", body, at)
        if length < head_size or at + length > len(body):
            raise BadMessage(f"entry says {length} bytes, {len(body) - at} are left")
        yield body[at : at + length]
        at += length


def parse_flows(body: bytes) -> Iterator[InstalledFlow]:
    """Yield the flows of an OFPMP_FLOW reply body (7.3.5.2)."""
    for entry in _entries(body, 56):
        head = _FLOW_HEAD.unpack_from(entry)
        _, table, duration, _, priority, idle, hard, _, _, cookie, packets, octets = head
        (match_length,) = struct.unpack_from("!H", entry, 50)
        padded = (match_length + 7) // 8 * 8
        if match_length < 4 or 48 + padded > len(entry):
            raise BadMessage("match longer than its flow")
        wire = entry[52 : 48 + match_length]
        rest = entry[48 + padded :]
        check_fields(wire)
        yield InstalledFlow(
            table, priority, canonical(wire), cookie, rest, wire, duration, packets, octets, idle << 16 | hard
        )


def check_fields(fields: bytes) -> None:
    """Raise `BadMessage` unless the entries of an OXM list fill it exactly (7.2.3.2)."""
    at = 0
    while at < len(fields):
        if at + 4 > len(fields):
            raise BadMessage("truncated match field")
        at += 4 + fields[at + 3]
    if at > len(fields):
        raise BadMessage("match field longer than its match")


def parse_groups(body: bytes) -> Iterator[InstalledGroup]:
    """Yield the groups of an OFPMP_GROUP_DESC reply body (7.3.5.7)."""
    for entry in _entries(body, 8):
        _, kind, group_id = struct.unpack_from("!HBxI", entry)
        yield InstalledGroup(group_id, kind, entry[8:])


def parse_meters(body: bytes) -> Iterator[WireMeter]:
    """Yield the meters of an OFPMP_METER_CONFIG reply body (7.3.5.11)."""
    for entry in _entries(body, 8):
        _, flags, number = struct.unpack_from("!H2sI", entry)
        yield WireMeter(number, flags + entry[8:])


_PORT_CONFIG = sum(PortConfig)
_TABLE_CONFIG = sum(TableConfig)


def parse_tables(body: bytes) -> Iterator[tuple[int, TableConfig]]:
    """Yield the settings of the tables of an OFPMP_TABLE_DESC reply body (7.3.5.19)."""
    for entry in _entries(body, 8):
        _, table, config = struct.unpack_from("!HBxI", entry)
        yield table, TableConfig(config & _TABLE_CONFIG)


def parse_config(buffer: bytes) -> tuple[Fragments, int]:
    """Return what the switch does with fragments, and how much of a packet it sends (7.3.2)."""
    if len(buffer) < 12:
        raise BadMessage("truncated configuration")
    flags, miss_send_len = struct.unpack_from("!HH", buffer, 8)
    return Fragments(flags & _FRAGMENTS), miss_send_len


def _parse_port(entry: bytes) -> Port:
    number, _, mac, name, config, state = struct.unpack_from("!IH2x6s2x16sII", entry)
    text = name.split(b"\0", 1)[0].decode("ascii", "replace")
    known = PortConfig(config & _PORT_CONFIG)
    return Port(number, mac.hex(":"), text, PortConfig.DOWN in known or bool(state & 1), known)


_PORT_HEAD_BYTES = 40


def parse_ports(body: bytes) -> Iterator[Port]:
    """Yield the ports of an OFPMP_PORT_DESC reply body (7.2.1)."""
    at = 0
    while at < len(body):
        if at + _PORT_HEAD_BYTES > len(body):
            raise BadMessage("truncated port")
        (length,) = struct.unpack_from("!H", body, at + 4)
        if length < _PORT_HEAD_BYTES or at + length > len(body):
            raise BadMessage("port longer than its message")
        yield _parse_port(body[at : at + length])
        at += length


def parse_port_status(buffer: bytes) -> tuple[int, Port]:
    """Return (reason, port) of a port-status message (7.4.3)."""
    if len(buffer) < 16 + _PORT_HEAD_BYTES:
        raise BadMessage("truncated port status")
    return buffer[8], _parse_port(buffer[16:])


def parse_error(buffer: bytes) -> SwitchError:
    if len(buffer) < 12:
        raise BadMessage("truncated error")
    kind, code = struct.unpack_from("!HH", buffer, 8)
    return SwitchError(kind, code, buffer[12:])


def parse_bundle_control(buffer: bytes) -> tuple[int, int]:
    """Return (bundle id, control type)."""
    if len(buffer) < 16:
        raise BadMessage("truncated bundle control")
    bundle_id, control = struct.unpack_from("!IH", buffer, 8)
    return bundle_id, control
