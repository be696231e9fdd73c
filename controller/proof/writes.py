"""What an action writes into a field, or a part of one."""

from controller.proof import dims, oxm
from controller.proof.flows import Forget, Operation, SetTo, Unknown, ip_prefix


def write(kind: tuple[int, int], value: int, is_whole: bool) -> tuple[Operation, ...]:
    """Write a value into a field, or into a part of one."""
    if kind in oxm.HARMLESS:
        return ()
    known = oxm.KNOWN.get(kind)
    if known is None or (known.dim == dims.IN_PORT and value >= 0xFF00):
        return (Unknown(f"writes field {kind[0]:#x}:{kind[1]}"),)
    if not is_whole:
        return (Forget(known.dim),)
    if known.version:
        return (SetTo(known.dim, ip_prefix(known.version, value, known.bits)[0]),)
    return (SetTo(known.dim, value & ((1 << known.bits) - 1)),)


def part_of(kind: tuple[int, int], first: int, bits: int) -> int | None:
    """Return the dimension that some bits of a field are the whole of."""
    if kind == oxm.CT_LABEL:
        return {(0, 48): dims.LABEL_R, (48, 48): dims.LABEL_I}.get((first, bits))
    known = oxm.KNOWN.get(kind)
    return known.dim if known and first == 0 and bits == known.bits else None


_MACS = {dims.ETH_SRC, dims.ETH_DST, dims.LABEL_R, dims.LABEL_I}
_DOMAINS = (_MACS, {dims.IP_SRC, dims.IP_DST}, {dims.SPORT, dims.DPORT})


def have_one_domain(one: int, other: int) -> bool:
    return one == other or any(one in domain and other in domain for domain in _DOMAINS)
