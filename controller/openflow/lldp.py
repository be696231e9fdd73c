"""Probes between switches: LLDP frames (IEEE 802.1AB-2016, clause 8) that say which port sent them.

Each has an authentication code made with the controller's own key, so frames from
other hosts or other controllers are ignored.
"""

import hmac
import struct

from controller.policy.model import PortRef

ETHER_TYPE = 0x88CC
_GROUP = bytes.fromhex("0180c200000e")  # nearest bridge: no bridge forwards it
_SOURCE = bytes.fromhex("02504c4c4450")
_CHASSIS, _PORT, _TTL, _ORGANIZATION, _END = 1, 2, 3, 127, 0
_LOCALLY_ASSIGNED = b"\x07"
_OURS = bytes.fromhex("02505301")  # a locally administered organization, and subtype 1
_CODE_BYTES = 16
_TTL_S = 5


def encode_probe(origin: PortRef, key: bytes) -> bytes:
    """Return the whole frame that `origin` sends."""
    name = str(origin).encode()
    return (
        _GROUP
        + _SOURCE
        + struct.pack("!H", ETHER_TYPE)
        + _tlv(_CHASSIS, _LOCALLY_ASSIGNED + origin.switch.encode())
        + _tlv(_PORT, _LOCALLY_ASSIGNED + name)
        + _tlv(_TTL, struct.pack("!H", _TTL_S))
        + _tlv(_ORGANIZATION, _OURS + _code(name, key))
        + _tlv(_END, b"")
    )


def decode_probe(frame: bytes, key: bytes) -> PortRef | None:
    """Return the port that sent a frame, or None if it is not one of our probes."""
    if frame[12:14] != struct.pack("!H", ETHER_TYPE):
        return None
    found: dict[int, bytes] = {}
    at = 14
    while at + 2 <= len(frame):
        (head,) = struct.unpack_from("!H", frame, at)
        kind, length = head >> 9, head & 0x1FF
        value = frame[at + 2 : at + 2 + length]
        if kind == _END or len(value) < length:
            break
        found.setdefault(kind, value)
        at += 2 + length
    name = found.get(_PORT, b"")[1:]
    if not hmac.compare_digest(found.get(_ORGANIZATION, b""), _OURS + _code(name, key)):
        return None
    switch, _, port = name.decode().rpartition(":")  # our own text: the code is valid
    return PortRef(switch, int(port))


def _code(name: bytes, key: bytes) -> bytes:
    return hmac.digest(key, name, "sha256")[:_CODE_BYTES]


def _tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!H", kind << 9 | len(value)) + value
