"""`learn` of Nicira's actions: which flows a switch may add, if a packet meets the action.

Source: Open vSwitch's ofp-actions.c (NXAST_LEARN, NXAST_LEARN2).
"""

from controller.proof import dims, oxm
from controller.proof.flows import FieldCriterion, Operation, Teach, Unknown
from controller.proof.writes import have_one_domain, part_of, write

_WRITES_RESULT, _LEARN2 = 4, 45
_LOADS, _OUTPUT = 1, 2  # what a specification of `learn` does; 0: match


def read_learn(action: bytes) -> tuple[Operation, ...]:
    """`learn` (NXAST_LEARN2, and NXAST_LEARN, whose specifications begin earlier)."""
    flags, table = int.from_bytes(action[24:26]), action[26]
    at = 40 if int.from_bytes(action[8:10]) == _LEARN2 else 32
    if flags & _WRITES_RESULT:
        return (Unknown("learn that writes whether it learned"),)
    criteria: list[FieldCriterion] = []
    operations: list[Operation] = []
    copies: list[tuple[int, int]] = []
    sends_back = False
    while at + 2 <= len(action) and (head := int.from_bytes(action[at : at + 2])):
        bits, what, is_value = head & 0x7FF, head >> 11 & 3, bool(head & 1 << 13)
        at += 2
        value, of = None, None
        if is_value:
            size = 2 * ((bits + 15) // 16)
            value = int.from_bytes(action[at : at + size])
            at += size
        else:
            of = _spec_part(action, at, bits)
            at += 6
        if what == _OUTPUT:
            sends_back = of == dims.IN_PORT
            operations += () if sends_back else (Unknown("learns an output"),)
            continue
        if what > _OUTPUT:
            return (Unknown("learns in an unknown way"),)
        kind, to = oxm.kind_of(int.from_bytes(action[at : at + 4])), _spec_part(action, at, bits)
        at += 6
        if what == _LOADS:
            operations += write(kind, value or 0, value is not None and to is not None)
        elif value is not None and to is not None and kind != oxm.CT_LABEL:
            entry = oxm.OxmEntry(kind, value, None, size)
            criteria += [c for c in oxm.criteria_of(entry) or () if isinstance(c, FieldCriterion)]
        elif to is not None and of is not None and have_one_domain(of, to):
            copies.append((to, of))
    return (Teach(table, tuple(criteria), tuple(operations), sends_back, tuple(copies)),)


def _spec_part(action: bytes, at: int, bits: int) -> int | None:
    """Return the dimension that a field and its first bit in a specification of `learn` stand for."""
    kind = oxm.kind_of(int.from_bytes(action[at : at + 4]))
    return part_of(kind, int.from_bytes(action[at + 4 : at + 6]), bits)
