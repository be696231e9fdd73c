"""Flows, groups and meters of a switch in words, foreign ones included. Never raises, whatever the bytes.

In the form of `pipeline.show`, but without the names of a policy, because what is described may have nothing
to do with it. What is not understood is shown as numbers. The text is bounded.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from functools import singledispatch
from ipaddress import IPv4Address

from controller.openflow.oxm import field_of
from controller.pipeline.fields import Field
from controller.pipeline.show import ipv6_text, mac_text
from controller.pipeline.tables import Table
from controller.sync.state import WireFlow, WireGroup, WireMeter

_LONGEST = 300
_UNREADABLE = "unreadable"
_TABLES = {int(table): table.label for table in Table}
_PORTS = {
    0xFFFF_FFF8: "back out",
    0xFFFF_FFF9: "through the tables again",
    0xFFFF_FFFA: "NORMAL",
    0xFFFF_FFFB: "FLOOD",
    0xFFFF_FFFC: "to all ports",
    0xFFFF_FFFD: "to the controller",
    0xFFFF_FFFE: "to the switch itself",
}
_OUTPUT, _PUSH_VLAN, _POP_VLAN, _GROUP, _SET_IP_TTL, _DEC_TTL, _SET_FIELD = 0, 17, 18, 22, 23, 24, 25
_EXPERIMENTER, _NICIRA = 0xFFFF, 0x2320
_SIMPLE = {_PUSH_VLAN: "push", _POP_VLAN: "pop", _SET_IP_TTL: "set ttl", _DEC_TTL: "ttl-1"}
_OF_NICIRA = {6: "move", 7: "load", 14: "resubmit", 35: "ct", 36: "nat", 42: "clone", 45: "learn"}
_GROUP_KINDS = {0: "all", 1: "select", 2: "indirect", 3: "first that is up"}
_PACKETS_PER_S = 2
_ANY = 0xFFFF_FFFF


class Instruction(IntEnum):
    GOTO_TABLE = 1
    WRITE_ACTIONS = 3
    APPLY_ACTIONS = 4
    CLEAR_ACTIONS = 5
    METER = 6


@singledispatch
def describe(thing: WireFlow | WireGroup | WireMeter) -> str:
    """Return one line."""
    raise AssertionError(f"no words for {thing}")


@describe.register
def _(flow: WireFlow) -> str:
    wanted = " ".join(_criteria(flow.wire_fields)) or "anything"
    does = ", ".join(_instructions(flow.instructions)) or "drop"
    idle, hard = divmod(flow.expires, 1 << 16)
    ends = [f"until unused for {idle} s"] * bool(idle) + [f"for {hard} s"] * bool(hard)
    until = f" ({', '.join(ends)})" if ends else ""
    return _bounded(f"{_table(flow.key.table)} {flow.key.priority} {wanted} -> {does}{until}")


@describe.register
def _(group: WireGroup) -> str:
    kind = _GROUP_KINDS.get(group.kind, f"kind {group.kind}")
    return _bounded(f"group {group.group_id} ({kind}): {'; '.join(_buckets(group.buckets)) or 'empty'}")


@describe.register
def _(meter: WireMeter) -> str:
    if len(meter.body) < 10:
        return f"meter {meter.meter_id}: no bands"
    flags, _, _, rate = struct.unpack_from("!HHHI", meter.body)
    unit = "packets per second" if flags & _PACKETS_PER_S else "kbit/s"
    return f"meter {meter.meter_id}: {rate:,} {unit}"


def _bounded(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _table(number: int) -> str:
    return _TABLES.get(number, f"table {number}")


def _criteria(fields: bytes) -> Iterator[str]:
    at = 0
    while at + 4 <= len(fields):
        head = int.from_bytes(fields[at : at + 4])
        length = head & 0xFF
        yield _criterion(head, fields[at + 4 : at + 4 + length])
        at += 4 + length


def _criterion(head: int, payload: bytes) -> str:
    is_masked, field = bool(head >> 8 & 1), field_of(head)
    size = len(payload) // 2 if is_masked else len(payload)
    value, mask = payload[:size], payload[size:]
    if field is None or size != field.size_bytes:
        return f"field {head >> 16:#x}:{head >> 9 & 0x7F}={payload.hex() or 'any'}"
    text = f"{field.name}={_value(field, value)}"
    if not is_masked:
        return text
    if field.shown_as in ("ipv4", "ipv6"):
        return f"{text}/{int.from_bytes(mask).bit_count()}"
    return f"{text}/{int.from_bytes(mask):#x}"


def _value(field: Field, value: bytes) -> str:
    number = int.from_bytes(value)
    match field.shown_as:
        case "mac":
            return mac_text(number)
        case "ipv4":
            return str(IPv4Address(number))
        case "ipv6":
            return ipv6_text(number)
        case "hex":
            return f"{number:#x}"
    return str(number)


def _pieces(buffer: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and bytes of each entry; the kind -1 stands for what cannot be read."""
    at = 0
    while at < len(buffer):
        kind, length = struct.unpack_from("!HH", buffer, at) if at + 8 <= len(buffer) else (-1, 0)
        if length < 8 or at + length > len(buffer):
            yield -1, b""
            return
        yield kind, buffer[at : at + length]
        at += length


def _instructions(instructions: bytes) -> Iterator[str]:
    for kind, piece in _pieces(instructions):
        match kind:
            case -1:
                yield _UNREADABLE
            case Instruction.GOTO_TABLE:
                yield f"goto {_table(piece[4])}"
            case Instruction.WRITE_ACTIONS:
                yield f"at the end {', '.join(_actions(piece[8:])) or 'nothing'}"
            case Instruction.APPLY_ACTIONS:
                yield from _actions(piece[8:])
            case Instruction.CLEAR_ACTIONS:
                yield "clear actions"
            case Instruction.METER:
                yield f"at most meter {int.from_bytes(piece[4:8])}"
            case _:
                yield f"instruction {kind}"


def _actions(actions: bytes) -> Iterator[str]:
    for kind, piece in _pieces(actions):
        number = int.from_bytes(piece[4:8])
        if kind == -1:
            yield _UNREADABLE
        elif kind == _OUTPUT:
            yield _PORTS.get(number, f"port {number}")
        elif kind == _GROUP:
            yield f"to group {number}"
        elif kind == _SET_FIELD:
            length = piece[7]
            yield _criterion(number, piece[8 : 8 + length]).replace("=", ":=", 1)
        elif kind == _EXPERIMENTER and number == _NICIRA and len(piece) >= 16:
            yield _of_nicira(int.from_bytes(piece[8:10]), piece)
        else:
            yield _SIMPLE.get(kind, f"action {kind}")


def _of_nicira(subtype: int, piece: bytes) -> str:
    name = _OF_NICIRA.get(subtype, f"extension {subtype}")
    return f"go on in {_table(piece[12])}" if name == "resubmit" else name


def _buckets(buckets: bytes) -> Iterator[str]:
    at = 0
    while at < len(buckets):
        length, weight = struct.unpack_from("!HH", buckets, at) if at + 16 <= len(buckets) else (0, 0)
        if length < 16 or at + length > len(buckets):
            yield _UNREADABLE
            return
        port, group = struct.unpack_from("!II", buckets, at + 4)
        text = f"{weight} x " if weight else ""
        text += f"({', '.join(_actions(buckets[at + 16 : at + length])) or 'drop'})"
        text += f" while port {port} is up" if port != _ANY else ""
        text += f" while group {group} is up" if group != _ANY else ""
        yield text
        at += length
