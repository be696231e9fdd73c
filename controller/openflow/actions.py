"""Actions and instructions to bytes, in exactly the form in which Open vSwitch reports them.

Because of that form, desired and installed state can be compared as bytes; a test
installs every action on a real switch and reads it back. Sources: OpenFlow
1.4.0, 7.2.4 and 7.2.5; ovs-actions(7) for the Nicira extensions.
"""

import struct
from functools import singledispatch

from common.wire.values import Address
from controller.openflow.oxm import header, move_header
from controller.pipeline.fields import Field
from controller.pipeline.flows import (
    CONTROLLER_NUMBER,
    Clone,
    CommitConnection,
    DecTtl,
    FlowAction,
    Learn,
    LookUpConnection,
    Move,
    Output,
    PopTag,
    PushTag,
    Resubmit,
    SetField,
    ToGroup,
)
from controller.pipeline.tables import Table

_OUTPUT, _GROUP, _DEC_NW_TTL, _SET_FIELD, _EXPERIMENTER = 0, 22, 24, 25, 0xFFFF
_PUSH_VLAN, _POP_VLAN = 17, 18
_VLAN_TPID = 0x8100
_NICIRA = 0x0000_2320
_REG_MOVE, _REG_LOAD, _RESUBMIT_TABLE, _CT, _CLONE, _LEARN = 6, 7, 14, 35, 42, 45
_DELETE_LEARNED = 2  # when the last flow that learns under this cookie is removed
_IMMEDIATE, _LOAD = 1 << 13, 1 << 11  # in a learn specification: a value, not a field; set, not match
_CT_COMMIT = 1
_NAT, _NAT_SOURCE = 36, 1
_NAT_IPV4_MIN, _NAT_IPV6_MIN = 1, 4  # which parts of a range follow
_NO_RECIRCULATION = 0xFF
_RESUBMIT_SAME_PORT = 0xFFF8
_WHOLE_PACKET = 0xFFFF  # OFPCML_NO_BUFFER
_GOTO_TABLE, _APPLY_ACTIONS, _METER = 1, 4, 6


def _padded(body: bytes) -> bytes:
    return body + bytes(-len(body) % 8)


@singledispatch
def encode_action(action: FlowAction) -> bytes:
    """Return one action as bytes, padded to eight."""
    raise AssertionError(f"no encoding for {action}")


@encode_action.register
def _(action: SetField) -> bytes:
    oxm = header(action.field).to_bytes(4) + action.value.to_bytes(action.field.size_bytes)
    body = _padded(struct.pack("!HH", _SET_FIELD, 0) + oxm)
    return struct.pack("!HH", _SET_FIELD, len(body)) + body[4:]


@encode_action.register
def _(action: Move) -> bytes:
    return struct.pack(
        "!HHIHHHHII",
        _EXPERIMENTER,
        24,
        _NICIRA,
        _REG_MOVE,
        action.bits,
        action.source_offset,
        action.target_offset,
        move_header(action.source),
        move_header(action.target),
    )


def _encode_ct(flags: int, zone: int, table: int, nested: bytes) -> bytes:
    head = struct.pack(
        "!HHIHHIHB3xH",
        _EXPERIMENTER,
        24 + len(nested),
        _NICIRA,
        _CT,
        flags,
        0,  # the zone is a number, not a field
        zone,
        table,
        0,  # no application-layer helper
    )
    return head + nested


def _encode_nat(source: Address | None) -> bytes:
    """Translate as the connection's state says; when committing, translate its source to one address."""
    flags = _NAT_SOURCE if source else 0
    parts = 0 if source is None else _NAT_IPV4_MIN if source.version == 4 else _NAT_IPV6_MIN
    first = source.packed if source else b""
    body = _padded(struct.pack("!HHIHxxHH", _EXPERIMENTER, 0, _NICIRA, _NAT, flags, parts) + first)
    return body[:2] + len(body).to_bytes(2) + body[4:]


@encode_action.register
def _(action: LookUpConnection) -> bytes:
    nested = _encode_nat(None) if action.translates else b""
    return _encode_ct(0, action.zone, action.then, nested)


@encode_action.register
def _(action: CommitConnection) -> bytes:
    nested = _encode_nat(action.source) if action.source else b""
    nested += b"".join(map(encode_action, action.moves))
    then = _NO_RECIRCULATION if action.then is None else action.then
    return _encode_ct(_CT_COMMIT, action.zone, then, nested)


@encode_action.register
def _(action: ToGroup) -> bytes:
    return struct.pack("!HHI", _GROUP, 8, action.group_id)


@encode_action.register
def _(action: Output) -> bytes:
    most = _WHOLE_PACKET if action.port == CONTROLLER_NUMBER else 0
    return struct.pack("!HHIH6x", _OUTPUT, 16, action.port, most)


@encode_action.register
def _(action: DecTtl) -> bytes:
    return struct.pack("!HH4x", _DEC_NW_TTL, 8)


@encode_action.register
def _(action: PushTag) -> bytes:
    return struct.pack("!HHH2x", _PUSH_VLAN, 8, _VLAN_TPID)


@encode_action.register
def _(action: PopTag) -> bytes:
    return struct.pack("!HH4x", _POP_VLAN, 8)


@encode_action.register
def _(action: Resubmit) -> bytes:
    return struct.pack(
        "!HHIHHB3x", _EXPERIMENTER, 16, _NICIRA, _RESUBMIT_TABLE, _RESUBMIT_SAME_PORT, action.table
    )


@encode_action.register
def _(action: Clone) -> bytes:
    nested = encode_actions(action.actions)
    return struct.pack("!HHIH6x", _EXPERIMENTER, 16 + len(nested), _NICIRA, _CLONE) + nested


@encode_action.register
def _(action: Learn) -> bytes:
    specs = b"".join(_spec_of_value(field, value, 0) for field, value in action.fixed)
    copied = move_header(action.copied)
    specs += struct.pack("!HIHIH", action.copied.bits, copied, 0, copied, 0)
    specs += _spec_of_value(action.sets.field, action.sets.value, _LOAD)
    body = struct.pack(
        "!IHHHHQHBxHHIHH",
        _NICIRA,
        _LEARN,
        action.idle_s,
        0,  # no hard time-out
        action.priority,
        action.cookie,
        _DELETE_LEARNED,
        action.table,
        0,  # no shorter time-out after a FIN
        0,
        action.limit,
        0,  # no field reports whether it learned
        0,
    )
    padded = _padded(bytes(4) + body + specs)
    return struct.pack("!HH", _EXPERIMENTER, len(padded)) + padded[4:]


def _spec_of_value(field: Field, value: int, kind: int) -> bytes:
    return (
        struct.pack("!H", _IMMEDIATE | kind | field.bits)
        + value.to_bytes(field.size_bytes)
        + struct.pack("!IH", move_header(field), 0)
    )


def learned_instructions(action: Learn) -> bytes:
    """Return the instructions of the flows that a switch learns by this action, as it reports them."""
    loaded = action.sets
    load = struct.pack(
        "!HHIHHIQ",
        _EXPERIMENTER,
        24,
        _NICIRA,
        _REG_LOAD,
        loaded.field.bits - 1,  # nxm_ofs_nbits: offset 0, number of bits minus one
        move_header(loaded.field),
        loaded.value,
    )
    return struct.pack("!HH4x", _APPLY_ACTIONS, 8 + len(load)) + load


def encode_actions(actions: tuple[FlowAction, ...]) -> bytes:
    return b"".join(map(encode_action, actions))


def encode_instructions(actions: tuple[FlowAction, ...], goto: Table | None, meter: int = 0) -> bytes:
    """Return meter, apply-actions, then goto-table; no instruction means drop."""
    encoded = struct.pack("!HHI", _METER, 8, meter) if meter else b""
    if actions:
        body = encode_actions(actions)
        encoded += struct.pack("!HH4x", _APPLY_ACTIONS, 8 + len(body)) + body
    if goto is not None:
        encoded += struct.pack("!HHB3x", _GOTO_TABLE, 8, goto)
    return encoded
