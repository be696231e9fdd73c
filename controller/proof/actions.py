"""Actions of the wire, read into neutral operations. An action that is not known may do anything.

Sources: OpenFlow 1.4.0, 7.2.4; ovs-actions(7); numbers of Nicira's actions as in Open vSwitch's ofp-
actions.c.
"""

import struct
from collections.abc import Callable, Iterator

from controller.proof import dims, oxm
from controller.proof.flows import (
    AddTag,
    Copy,
    Forget,
    Fork,
    HalfLabel,
    Operation,
    RemoveTag,
    Send,
    SendAll,
    SendBack,
    Track,
    Translation,
    Unknown,
    Untrack,
    Visit,
    VisitGroup,
    ip_prefix,
)
from controller.proof.learning import read_learn
from controller.proof.oxm import Malformed
from controller.proof.writes import have_one_domain, part_of, write

_MOST_NESTED = 8
_NICIRA = 0x2320
_IN_PORT, _NORMAL, _FLOOD, _ALL, _CONTROLLER = 0xFFFFFFF8, 0xFFFFFFFA, 0xFFFFFFFB, 0xFFFFFFFC, 0xFFFFFFFD
_TABLE = 0xFFFFFFF9
_HARMLESS = {15, 16, 21, 23, 24}  # MPLS TTL, set_queue, TTLs
_HARMLESS_NICIRA = {2, 4, 5, 8, 9, 18, 19, 21}  # tunnels, queues, notes, TTLs, time-outs
_MAC_DIMS = {dims.ETH_SRC, dims.ETH_DST}


def read_actions(body: bytes, table: int, depth: int = 0) -> tuple[Operation, ...]:
    """Return the operations of a list of actions in a flow of `table`, or in a bucket (-1)."""
    if depth > _MOST_NESTED:
        return (Unknown("actions nested too deep"),)
    try:
        return tuple(each for action in split_actions(body) for each in _read(action, table, depth))
    except (Malformed, struct.error):
        return (Unknown("malformed actions"),)


def split_actions(body: bytes) -> Iterator[bytes]:
    """Yield actions, or any entries that begin with a type and a length, 16 bits each."""
    at = 0
    while at < len(body):
        if at + 4 > len(body):
            raise Malformed("truncated action")
        length = int.from_bytes(body[at + 2 : at + 4])
        if length < 4 or at + length > len(body):
            raise Malformed("action longer than its list")
        yield body[at : at + length]
        at += length


def _read(action: bytes, table: int, depth: int) -> tuple[Operation, ...]:
    kind = int.from_bytes(action[:2])
    if kind in _HARMLESS:
        return ()
    match kind:
        case 0:
            return _output(struct.unpack_from("!I", action, 4)[0])
        case 17:
            return (AddTag(),)
        case 18:
            return (RemoveTag(),)
        case 22:
            return (VisitGroup(struct.unpack_from("!I", action, 4)[0]),)
        case 25:
            entry, _ = oxm.entry_at(action, 4)
            return write(entry.kind, entry.value, entry.mask is None)
        case 0xFFFF if struct.unpack_from("!I", action, 4)[0] == _NICIRA:
            return _read_nicira(action, table, depth)
    return (Unknown(f"action {kind}"),)


def _output(port: int) -> tuple[Operation, ...]:
    if port == _IN_PORT:
        return (SendBack(),)
    if port in (_NORMAL, _FLOOD, _ALL):
        return (SendAll(),)
    if port == _CONTROLLER:
        return ()  # what the controller does with a packet is not part of the proof
    if port == _TABLE:
        return (Unknown("output to the table"),)
    return (Send(port),)


def _read_nicira(action: bytes, table: int, depth: int) -> tuple[Operation, ...]:
    kind = int.from_bytes(action[8:10])
    if kind in _HARMLESS_NICIRA:
        return ()
    reader = _NICIRA_READERS.get(kind)
    if reader is not None:
        return reader(action)
    match kind:
        case 1:
            return _resubmit(int.from_bytes(action[10:12]), table)
        case 14:
            chosen = action[12]
            return _resubmit(int.from_bytes(action[10:12]), table if chosen == 255 else chosen)
        case 42:
            return (Fork(read_actions(action[16:], table, depth + 1)),)
        case 43:
            return (Untrack(),)
    return (Unknown(f"Nicira action {kind}"),)


def _resubmit(in_port: int, table: int) -> tuple[Operation, ...]:
    if in_port != 0xFFF8 or table < 0:
        return (Unknown("resubmit as if from another port"),)
    return (Visit(table),)


def _move(action: bytes) -> tuple[Operation, ...]:
    bits, from_bit, to_bit, source, target = struct.unpack_from("!HHHII", action, 10)
    of = part_of(oxm.kind_of(source), from_bit, bits)
    kind = oxm.kind_of(target)
    if kind in oxm.HARMLESS:
        return ()
    to = part_of(kind, to_bit, bits)
    if to is None:
        known = oxm.KNOWN.get(kind)
        return (Forget(known.dim),) if known else (Unknown(f"writes field {kind[0]:#x}:{kind[1]}"),)
    if of is None or not have_one_domain(of, to):
        return (Forget(to),)
    return () if of == to else (Copy(of, to),)


def _load(action: bytes) -> tuple[Operation, ...]:
    """`load`: some bits of a field get a value (NXAST_REG_LOAD)."""
    place, header, value = struct.unpack_from("!HIQ", action, 10)
    first, bits = place >> 6, (place & 0x3F) + 1
    kind = oxm.kind_of(header)
    known = oxm.KNOWN.get(kind)
    return write(kind, value, known is None or (first == 0 and bits == known.bits))


def _track(action: bytes) -> tuple[Operation, ...]:
    flags, zone_field, zone, table, helper = struct.unpack_from("!HIHB3xH", action, 10)
    if zone_field or helper or flags & ~3:
        return (Unknown("ct() with a zone from a field, with a helper, or with unknown flags"),)
    halves = {dims.LABEL_R: HalfLabel(value=0), dims.LABEL_I: HalfLabel(value=0)}
    translation: Translation | None = None
    for nested in split_actions(action[24:]):
        found = _translation(nested)
        if found is not None:
            translation = found
        elif not _note_label(nested, halves):
            return (Unknown("ct() with an unknown action inside"),)
    then = None if table == 255 else table
    commits = bool(flags & 1)
    if translation and translation.source and not commits:
        translation = Translation(is_known=False)
    return (Track(zone, then, commits, halves[dims.LABEL_R], halves[dims.LABEL_I], translation),)


def _translation(nested: bytes) -> Translation | None:
    """Return the translation that a `nat` inside a ct() makes; None for any other action."""
    if nested[:2] != b"\xff\xff" or int.from_bytes(nested[8:10]) != 36:
        return None
    flags, parts = struct.unpack_from("!HH", nested, 12)
    if not flags and not parts:
        return Translation()
    if flags == 1 and parts == 1:
        return Translation(ip_prefix(4, int.from_bytes(nested[16:20]), 32))
    if flags == 1 and parts == 4:
        return Translation(ip_prefix(6, int.from_bytes(nested[16:32]), 128))
    return Translation(is_known=False)


def _note_label(nested: bytes, halves: dict[int, HalfLabel]) -> bool:
    """Note what a ct() writes into the label. Return whether the action is known."""
    if nested[:2] == b"\x00\x19":
        entry, _ = oxm.entry_at(nested, 4)
        if entry.kind != oxm.CT_LABEL:
            return entry.kind in oxm.HARMLESS
        mask = entry.mask if entry.mask is not None else (1 << 128) - 1
        for dim, shift in ((dims.LABEL_R, 0), (dims.LABEL_I, 48)):
            part = mask >> shift & (1 << 48) - 1
            if part:
                value = entry.value >> shift & part
                halves[dim] = HalfLabel(value=value) if part == (1 << 48) - 1 else HalfLabel()
        return True
    if nested[:2] != b"\xff\xff" or int.from_bytes(nested[8:10]) != 6:
        return False
    bits, from_bit, to_bit, source, target = struct.unpack_from("!HHHII", nested, 10)
    if oxm.kind_of(target) != oxm.CT_LABEL:
        return oxm.kind_of(target) in oxm.HARMLESS
    half, of = part_of(oxm.CT_LABEL, to_bit, bits), part_of(oxm.kind_of(source), from_bit, bits)
    if half is None:
        halves.update({dims.LABEL_R: HalfLabel(), dims.LABEL_I: HalfLabel()})
    else:
        halves[half] = HalfLabel(of=of) if of in _MAC_DIMS else HalfLabel()
    return True


_NICIRA_READERS: dict[int, Callable[[bytes], tuple[Operation, ...]]] = {
    6: _move,
    7: _load,
    35: _track,
    16: read_learn,
    45: read_learn,
}
