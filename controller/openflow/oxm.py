"""Match fields as OXM: the header of each field, and matches to bytes.

Source: OpenFlow Switch Specification 1.4.0, 7.2.3; ovs-fields(7) for the
Nicira registers and the conntrack fields; with numbers as reported by Open vSwitch 3.1.
"""

from functools import cache

from controller.pipeline import fields as f
from controller.pipeline.fields import Field
from controller.pipeline.flows import Criterion, Match

_BASIC = 0x8000
_NICIRA = 0x0001
_NICIRA_0 = 0x0000
_ERICSSON = 0x1000

# field -> (class, number), in the form that a switch reports over OpenFlow 1.4
_OXM: dict[Field, tuple[int, int]] = {
    f.IN_PORT: (_BASIC, 0),
    f.CAME_BY: (_NICIRA_0, 0),
    f.ETH_DST: (_BASIC, 3),
    f.ETH_SRC: (_BASIC, 4),
    f.ETH_TYPE: (_BASIC, 5),
    f.VLAN: (_BASIC, 6),
    f.IP_PROTO: (_BASIC, 10),
    f.IPV4_SRC: (_BASIC, 11),
    f.IPV4_DST: (_BASIC, 12),
    f.TCP_SRC: (_BASIC, 13),
    f.TCP_DST: (_BASIC, 14),
    f.UDP_SRC: (_BASIC, 15),
    f.UDP_DST: (_BASIC, 16),
    f.ICMP_TYPE: (_BASIC, 19),
    f.ICMP_CODE: (_BASIC, 20),
    f.ARP_OP: (_BASIC, 21),
    f.ARP_SPA: (_BASIC, 22),
    f.ARP_TPA: (_BASIC, 23),
    f.ARP_SHA: (_BASIC, 24),
    f.ARP_THA: (_BASIC, 25),
    f.IPV6_SRC: (_BASIC, 26),
    f.IPV6_DST: (_BASIC, 27),
    f.ICMPV6_TYPE: (_BASIC, 29),
    f.ND_TARGET: (_BASIC, 31),
    f.ND_TLL: (_BASIC, 33),
    f.ND_RESERVED: (_ERICSSON, 1),
    f.ND_OPTIONS_TYPE: (_ERICSSON, 2),
    f.ROLE: (_NICIRA, 0),
    f.PARTY: (_NICIRA, 1),
    f.ZONE: (_NICIRA, 2),
    f.POOL: (_NICIRA, 3),
    f.TREATMENT: (_NICIRA, 4),
    f.IP_FRAG: (_NICIRA, 26),
    f.CT_STATE: (_NICIRA, 105),
    f.CT_LABEL: (_NICIRA, 108),
    f.CT_PROTO: (_NICIRA, 119),
    f.CT_TP_DST: (_NICIRA, 125),
}

# The older headers that a switch reports inside `move` and `learn` (NXAST_REG_MOVE, NXAST_LEARN2).
_MOVE_NUMBERS: dict[Field, int] = {
    f.ETH_DST: 1,
    f.ETH_SRC: 2,
    f.ETH_TYPE: 3,
    f.IPV4_SRC: 7,
    f.TCP_SRC: 9,
    f.ARP_SPA: 16,
    f.ARP_TPA: 17,
}
_MOVE_NUMBERS_NICIRA: dict[Field, int] = {
    f.ARP_SHA: 17,
    f.ARP_THA: 18,
    f.IPV6_SRC: 19,
    f.IPV6_DST: 20,
}


def header(field: Field, masked: bool = False) -> int:
    """Return the 32-bit OXM header of a field."""
    oxm_class, number = _OXM[field]
    length = field.size_bytes * (2 if masked else 1)
    return oxm_class << 16 | number << 9 | masked << 8 | length


_FIELDS = {number: field for field, number in _OXM.items() if field is not f.CAME_BY}


def field_of(header: int) -> Field | None:
    """Return the field of an OXM header, if it is one that we use."""
    return _FIELDS.get((header >> 16, header >> 9 & 0x7F))


def move_header(field: Field) -> int:
    """Return the header that stands for a field inside a `move` or `learn` action."""
    if field in _MOVE_NUMBERS:
        return _NICIRA_0 << 16 | _MOVE_NUMBERS[field] << 9 | field.size_bytes
    if field in _MOVE_NUMBERS_NICIRA:
        return _NICIRA << 16 | _MOVE_NUMBERS_NICIRA[field] << 9 | field.size_bytes
    return header(field)


@cache
def _head(field: Field, masked: bool) -> bytes:
    return header(field, masked).to_bytes(4)


def _encode_criterion(criterion: Criterion) -> bytes:
    field, mask = criterion.field, criterion.mask
    size = field.size_bytes
    if mask == field.full_mask:
        return _head(field, False) + criterion.value.to_bytes(size)
    return _head(field, True) + criterion.value.to_bytes(size) + mask.to_bytes(size)


# A match on ports requires a match on the IP protocol before it (OpenFlow 1.4, 7.2.3.6).
_PREREQUISITES_FIRST = {f.ETH_TYPE: 0, f.IP_PROTO: 1, f.CT_STATE: 1, f.CT_PROTO: 2, f.ICMPV6_TYPE: 2}


def encode_fields(match: Match) -> bytes:
    """Return the OXM list of a match, without the ofp_match head and padding."""
    ordered = sorted(match, key=lambda c: _PREREQUISITES_FIRST.get(c.field, 9))
    return b"".join(map(_encode_criterion, ordered))


def canonical(fields: bytes) -> bytes:
    """Return an OXM list with its entries sorted, so that equal matches are equal bytes."""
    return b"".join(sorted(entries_of(fields)))


def entries_of(fields: bytes) -> list[bytes]:
    """Return the entries of an OXM list."""
    entries = []
    at = 0
    while at < len(fields):
        end = at + 4 + fields[at + 3]
        entries.append(fields[at:end])
        at = end
    return entries
