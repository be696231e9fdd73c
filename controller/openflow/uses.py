"""The groups and meters that a flow or a group names, read from its bytes. Never raises."""

import struct
from collections.abc import Iterator
from functools import lru_cache

from controller.sync.parts import Part, PartKind
from controller.sync.state import WireFlow, WireGroup

_WRITE_ACTIONS, _APPLY_ACTIONS, _METER = 3, 4, 6  # instructions
_GROUP, _EXPERIMENTER = 22, 0xFFFF  # actions
_NICIRA, _CLONE = 0x2320, 42
_ANY = 0xFFFF_FFFF
_NOTHING: frozenset[Part] = frozenset()


def parts_named(thing: WireFlow | WireGroup) -> frozenset[Part]:
    """Return the groups and meters that something names itself."""
    if isinstance(thing, WireGroup):
        return frozenset(_of_buckets(thing.buckets))
    return _of_instructions(thing.instructions)


@lru_cache(maxsize=10_000)
def _of_instructions(instructions: bytes) -> frozenset[Part]:
    found = []
    for kind, piece in _pieces(instructions):
        if kind == _METER:
            found.append(Part(PartKind.METER, int.from_bytes(piece[4:8])))
        elif kind in (_WRITE_ACTIONS, _APPLY_ACTIONS):
            found += _of_actions(piece[8:])
    return frozenset(found) if found else _NOTHING


def _of_actions(actions: bytes) -> Iterator[Part]:
    for kind, piece in _pieces(actions):
        number = int.from_bytes(piece[4:8])
        if kind == _GROUP:
            yield Part(PartKind.GROUP, number)
        elif kind == _EXPERIMENTER and number == _NICIRA and int.from_bytes(piece[8:10]) == _CLONE:
            yield from _of_actions(piece[16:])


def _of_buckets(buckets: bytes) -> Iterator[Part]:
    at = 0
    while at + 16 <= len(buckets):
        length, _, _, watched = struct.unpack_from("!HHII", buckets, at)
        if length < 16:
            return
        if watched != _ANY:
            yield Part(PartKind.GROUP, watched)
        yield from _of_actions(buckets[at + 16 : at + length])
        at += length


def _pieces(buffer: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 8 <= len(buffer):
        kind, length = struct.unpack_from("!HH", buffer, at)
        if length < 8:
            return
        yield kind, buffer[at : at + length]
        at += length
