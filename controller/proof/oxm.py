"""Match fields of the wire: which dimension each stands for. Independent of the encoder of `openflow`.

Sources: OpenFlow 1.4.0, 7.2.3; ovs-fields(7). Fields that are not here are not followed: a match on one may
succeed or fail. `HARMLESS` are those whose value no dimension depends on, so that a flow may write them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from controller.pipeline.fields import EthType, IpProto
from controller.proof import dims
from controller.proof.atoms import prefix_length
from controller.proof.flows import IP_BITS, BitsCriterion, FieldCriterion, ip_prefix

_BASIC, _NXM_0, _NXM_1, _ERICSSON = 0x8000, 0x0000, 0x0001, 0x1000
_EXPERIMENTER_CLASS = 0xFFFF


@dataclass(frozen=True, slots=True)
class Known:
    """A field that is followed. `needs`: what the packet must be to have it."""

    dim: int
    bits: int
    needs: tuple[tuple[int, int], ...] = ()  # dimension and value
    version: int = 0  # of an IP address


_IPV4 = ((dims.ETH_TYPE, EthType.IPV4),)
_IPV6 = ((dims.ETH_TYPE, EthType.IPV6),)
_TCP, _UDP, _SCTP = (((dims.PROTO, number),) for number in (IpProto.TCP, IpProto.UDP, 132))
_SHORT: Final = 16
_BASIC_FIELDS = {
    0: Known(dims.IN_PORT, 32),
    3: Known(dims.ETH_DST, 48),
    4: Known(dims.ETH_SRC, 48),
    5: Known(dims.ETH_TYPE, _SHORT),
    6: Known(dims.VLAN, 13),
    10: Known(dims.PROTO, 8),
    11: Known(dims.IP_SRC, 32, _IPV4, 4),
    12: Known(dims.IP_DST, 32, _IPV4, 4),
    13: Known(dims.SPORT, _SHORT, _TCP),
    14: Known(dims.DPORT, _SHORT, _TCP),
    15: Known(dims.SPORT, _SHORT, _UDP),
    16: Known(dims.DPORT, _SHORT, _UDP),
    17: Known(dims.SPORT, _SHORT, _SCTP),
    18: Known(dims.DPORT, _SHORT, _SCTP),
    19: Known(dims.ICMP_TYPE, 8, ((dims.ETH_TYPE, EthType.IPV4), (dims.PROTO, IpProto.ICMP))),
    20: Known(dims.ICMP_CODE, 8, ((dims.ETH_TYPE, EthType.IPV4), (dims.PROTO, IpProto.ICMP))),
    26: Known(dims.IP_SRC, 128, _IPV6, 6),
    27: Known(dims.IP_DST, 128, _IPV6, 6),
    29: Known(dims.ICMP_TYPE, 8, ((dims.ETH_TYPE, EthType.IPV6), (dims.PROTO, IpProto.ICMPV6))),
    31: Known(dims.ND_TARGET, 128, ((dims.ETH_TYPE, EthType.IPV6), (dims.PROTO, IpProto.ICMPV6)), 6),
    30: Known(dims.ICMP_CODE, 8, ((dims.ETH_TYPE, EthType.IPV6), (dims.PROTO, IpProto.ICMPV6))),
}
_NXM_0_FIELDS = {
    0: Known(dims.IN_PORT, 16),
    1: _BASIC_FIELDS[3],
    2: _BASIC_FIELDS[4],
    3: _BASIC_FIELDS[5],
    6: _BASIC_FIELDS[10],
    7: _BASIC_FIELDS[11],
    8: _BASIC_FIELDS[12],
    9: _BASIC_FIELDS[13],
    10: _BASIC_FIELDS[14],
    11: _BASIC_FIELDS[15],
    12: _BASIC_FIELDS[16],
    13: _BASIC_FIELDS[19],
    14: _BASIC_FIELDS[20],
}
_NXM_1_FIELDS = {
    0: Known(dims.ROLE, 32),
    1: Known(dims.PARTY, 32),
    2: Known(dims.LEG, 32),
    3: Known(dims.POOL, 32),
    4: Known(dims.TREATMENT, 32),
    19: _BASIC_FIELDS[26],
    20: _BASIC_FIELDS[27],
    21: _BASIC_FIELDS[29],
    22: _BASIC_FIELDS[30],
    106: Known(dims.CT_ZONE, 16),
    119: Known(dims.CT_PROTO, 8),
    125: Known(dims.CT_DPORT, 16),
}
KNOWN: dict[tuple[int, int], Known] = {
    **{(_BASIC, number): known for number, known in _BASIC_FIELDS.items()},
    **{(_NXM_0, number): known for number, known in _NXM_0_FIELDS.items()},
    **{(_NXM_1, number): known for number, known in _NXM_1_FIELDS.items()},
}
CT_STATE, CT_LABEL, IP_FRAGMENT = (_NXM_1, 105), (_NXM_1, 108), (_NXM_1, 26)
HARMLESS: frozenset[tuple[int, int]] = frozenset(
    {(_BASIC, number) for number in (2, 8, 9, *range(21, 26), 32, 33, 38)}
    | {(_NXM_0, number) for number in (5, *range(15, 18))}
    | {(_NXM_1, number) for number in (*range(5, 16), 16, 17, 18, *range(23, 26), 27, 29, 33, 107, 110)}
    | {(_ERICSSON, number) for number in (1, 2)}
)


@dataclass(frozen=True, slots=True)
class OxmEntry:
    """One field of a match or of an action. `mask` is None for an exact value."""

    kind: tuple[int, int]  # class and number
    value: int
    mask: int | None
    size: int  # of the value, in bytes


class Malformed(Exception):
    """The bytes are not what OpenFlow says."""


def entries(fields: bytes) -> Iterator[OxmEntry]:
    """Yield the fields of an OXM list. Raise `Malformed` if it does not end with a field."""
    at = 0
    while at < len(fields):
        entry, at = entry_at(fields, at)
        yield entry


def entry_at(fields: bytes, at: int) -> tuple[OxmEntry, int]:
    """Return the field that begins at a place, and the place behind it."""
    if at + 4 > len(fields):
        raise Malformed("truncated match field")
    kind, is_masked, length = _header(int.from_bytes(fields[at : at + 4]))
    at += 4
    body = fields[at : at + length]
    if len(body) != length:
        raise Malformed("match field longer than its match")
    if kind[0] == _EXPERIMENTER_CLASS:
        body = body[4:]
    half = len(body) // 2 if is_masked else len(body)
    mask = int.from_bytes(body[half:]) if is_masked else None
    return OxmEntry(kind, int.from_bytes(body[:half]), mask, half), at + length


def kind_of(header: int) -> tuple[int, int]:
    """Return class and number of the field that a 32-bit header stands for."""
    return _header(header)[0]


def _header(header: int) -> tuple[tuple[int, int], bool, int]:
    return (header >> 16, header >> 9 & 0x7F), bool(header >> 8 & 1), header & 0xFF


def criteria_of(entry: OxmEntry) -> tuple[FieldCriterion | BitsCriterion, ...] | None:
    """Return what a match on a field requires; None if it is not followed."""
    if entry.kind == CT_STATE:
        return _flags(dims.CT_STATE, entry, 0xFF)
    if entry.kind == IP_FRAGMENT:
        return _flags(dims.FRAGMENT, entry, 0x3)
    if entry.kind == CT_LABEL:
        return _label_criteria(entry)
    known = KNOWN.get(entry.kind)
    if known is None:
        return None
    full = (1 << known.bits) - 1
    length = known.bits if entry.mask is None else prefix_length(entry.mask & full, known.bits)
    if length is None:
        return None
    needs = tuple(FieldCriterion(dim, value, BITS[dim]) for dim, value in known.needs)
    return (*needs, _criterion(known, entry.value, length))


def _criterion(known: Known, value: int, length: int) -> FieldCriterion:
    value &= ((1 << length) - 1) << (known.bits - length)
    if known.version:
        return FieldCriterion(known.dim, *ip_prefix(known.version, value, length))
    return FieldCriterion(known.dim, value, length + BITS[known.dim] - known.bits)


def _flags(dim: int, entry: OxmEntry, known: int) -> tuple[BitsCriterion, ...] | None:
    mask = entry.mask if entry.mask is not None else known
    return None if mask & ~known else (BitsCriterion(dim, entry.value, mask),)


def _label_criteria(entry: OxmEntry) -> tuple[FieldCriterion, ...] | None:
    """A label is followed by halves, each of which is matched as a whole, by a prefix, or not at all."""
    mask = entry.mask if entry.mask is not None else (1 << 128) - 1
    if mask >> 96:
        return None
    halves = []
    for dim, shift in ((dims.LABEL_R, 0), (dims.LABEL_I, 48)):
        half = mask >> shift & (1 << 48) - 1
        length = prefix_length(half, 48)
        if length is None:
            return None
        if length:
            halves.append(FieldCriterion(dim, entry.value >> shift & half, length))
    return tuple(halves)


# In bits, of each dimension that has values. A port and a protocol have one bit more: fragments hide them
# (`space.NO_PORT`, `space.HIDDEN_PROTO`).
BITS: dict[int, int] = {
    dims.IN_PORT: 32,
    dims.VLAN: 13,
    dims.INNER_VLAN: 13,
    dims.ETH_SRC: 48,
    dims.ETH_DST: 48,
    dims.ETH_TYPE: 16,
    dims.IP_SRC: IP_BITS,
    dims.IP_DST: IP_BITS,
    dims.PROTO: 9,
    dims.SPORT: 17,
    dims.DPORT: 17,
    dims.ICMP_TYPE: 8,
    dims.ICMP_CODE: 8,
    dims.ND_TARGET: IP_BITS,
    dims.CT_ZONE: 16,
    dims.CT_PROTO: 9,
    dims.CT_DPORT: 17,
    dims.LABEL_R: 48,
    dims.LABEL_I: 48,
    dims.ROLE: 32,
    dims.PARTY: 32,
    dims.LEG: 32,
    dims.POOL: 32,
    dims.TREATMENT: 32,
    dims.RESPONDER: 48,
    dims.INITIATOR: 48,
}
