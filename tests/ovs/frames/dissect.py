"""Raw frames back to values: what a test must know about a frame that has arrived."""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from controller.pipeline.fields import EthType, IpProto
from tests.ovs.frames.craft import FRAGMENT_HEADER, Tuple5

_TAG = 0x8100
_WITH_PORTS = (IpProto.TCP, IpProto.UDP)
# ICMP messages that quote the packet they are about (RFC 792; RFC 4443, 2.1: all types below 128).
_ERRORS = {IpProto.ICMP: (3, 4, 5, 11, 12), IpProto.ICMPV6: (1, 2, 3, 4)}


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame. `tuple5` is None if it is not IP; a later fragment has no ports, and they are 0.

    `quoted`: the packet that an ICMP error is about.
    """

    source_mac: int
    target_mac: int
    tags: tuple[int, ...]
    eth_type: int
    tuple5: Tuple5 | None = None
    flags: int = 0
    is_first: bool = False  # the first of several fragments
    is_later: bool = False
    quoted: Tuple5 | None = None


def dissect(frame: bytes) -> Seen:
    """Return what is in a frame that `craft` has built, or that the switch has made of one."""
    at, tags = 12, []
    while (eth_type := _word(frame, at)) == _TAG:
        tags.append(_word(frame, at + 2) & 0xFFF)
        at += 4
    target, source = int.from_bytes(frame[:6]), int.from_bytes(frame[6:12])
    data = frame[at + 2 :]
    if eth_type not in (EthType.IPV4, EthType.IPV6):
        return Seen(source, target, tuple(tags), eth_type)
    tuple5, body, place = _packet(data)
    is_later, is_first = place & 0xFFF8 != 0, place == 1
    whole = tuple5 if is_later else _with_ports(tuple5, body)
    has_flags = tuple5.protocol == IpProto.TCP and not is_later and len(body) > 13
    flags = body[13] if has_flags else 0
    quoted = None
    if not is_later and tuple5.is_icmp and body[:1] and body[0] in _ERRORS[IpProto(tuple5.protocol)]:
        quoted = _quoted(body[8:])
    return Seen(source, target, tuple(tags), eth_type, whole, flags, is_first, is_later, quoted)


def _quoted(data: bytes) -> Tuple5 | None:
    if len(data) < (20 if data[:1] and data[0] >> 4 == 4 else 40):
        return None
    tuple5, body, _ = _packet(data)
    return _with_ports(tuple5, body)


def _packet(data: bytes) -> tuple[Tuple5, bytes, int]:
    """Return addresses and protocol, the body, and the fragment's place: offset in bytes | more."""
    if data[0] >> 4 == 4:
        place = _word(data, 6)
        head, end = (data[0] & 15) * 4, _word(data, 2)
        tuple5 = Tuple5(data[9], IPv4Address(data[12:16]), IPv4Address(data[16:20]))
        return tuple5, data[head:end], (place & 0x1FFF) * 8 | (place >> 13 & 1)
    source, target = IPv6Address(data[8:24]), IPv6Address(data[24:40])
    protocol, body, where = data[6], data[40 : 40 + _word(data, 4)], 0
    if protocol == FRAGMENT_HEADER:
        protocol, where, body = body[0], _word(body, 2) & 0xFFF9, body[8:]
    return Tuple5(protocol, source, target), body, where


def _with_ports(tuple5: Tuple5, body: bytes) -> Tuple5:
    if tuple5.protocol in _WITH_PORTS and len(body) >= 4:
        ports = struct.unpack_from("!HH", body)
    elif tuple5.is_icmp and len(body) >= 6:
        ports = _word(body, 0), _word(body, 4)
    else:
        return tuple5
    return Tuple5(tuple5.protocol, tuple5.source, tuple5.target, *ports)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2])
