"""One table of one switch: which flows each packet of a box meets.

Flows are numbered by falling priority, and a set of flows is a bit mask. For each dimension that the
table matches, and each atom, the index has the flows that this atom can match; a box's candidates are
found by `and`. A box with many candidates is first split along the dimension that leaves the least
work.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from controller.proof.atoms import places
from controller.proof.boxes import Narrower, united
from controller.proof.dims import Box
from controller.proof.flows import HeldFlows, NeutralFlow, with_learned
from controller.proof.space import Space

_FEW = 100  # candidates that are tried one after the other
Emit = Callable[[Box, NeutralFlow], None]


@dataclass(frozen=True, slots=True)
class IndexedFlow:
    flow: NeutralFlow
    conditions: tuple[tuple[int, int], ...]


class TableIndex:
    def __init__(self, space: Space, flows: Iterable[NeutralFlow]) -> None:
        ordered = _without_last_drops(sorted(flows, key=lambda flow: -flow.priority))
        self.entries = [IndexedFlow(flow, space.conditions(flow.criteria)) for flow in ordered]
        self._everything = space.everything
        self._all = (1 << len(self.entries)) - 1
        self._not_drops = _bits([n for n, each in enumerate(ordered) if each.operations])
        self._any: dict[int, int] = {}  # by dimension: flows that do not match it
        self._by_atom: dict[int, dict[int, int]] = {}  # by dimension and atom: flows that match this atom
        self._known: dict[int, dict[int, int]] = {}  # by dimension and mask: flows that it can match
        self._fill()

    def _fill(self) -> None:
        flows_of: dict[int, dict[int, list[int]]] = {}
        constrained: dict[int, int] = {}
        for number, entry in enumerate(self.entries):
            for dim, mask in entry.conditions:
                constrained[dim] = constrained.get(dim, 0) | 1 << number
                by_atom = flows_of.setdefault(dim, {})
                for atom in places(mask):
                    by_atom.setdefault(atom, []).append(number)
        for dim, by_atom in flows_of.items():
            self._any[dim] = self._all & ~constrained[dim]
            self._known[dim] = {self._everything[dim]: self._all}
            self._by_atom[dim] = {atom: _bits(numbers) for atom, numbers in by_atom.items()}

    def may_match(self, box: Sequence[int]) -> bool:
        """Return whether a packet of a box may meet a flow that does not drop it; if not, none does."""
        return bool(self._candidates(box, self._not_drops))

    def split(self, box: Box, narrower: Narrower, emit: Emit) -> None:
        """Give `emit` each part of a box with the flow that it meets. What meets none is dropped."""
        self._split(box, self._candidates(box, self._all), narrower, emit)

    def _candidates(self, box: Sequence[int], among: int) -> int:
        for dim, known in self._known.items():
            mask = box[dim]
            flows = known.get(mask)
            if flows is None:
                flows = known[mask] = self._of_mask(dim, mask)
            among &= flows
            if not among:
                break
        return among

    def _of_mask(self, dim: int, mask: int) -> int:
        by_atom = self._by_atom[dim]
        found = self._any[dim]
        if mask.bit_count() <= len(by_atom):
            for atom in places(mask):
                found |= by_atom.get(atom, 0)
        else:
            for atom, flows in by_atom.items():
                if mask >> atom & 1:
                    found |= flows
        return found

    def _split(self, box: Box, candidates: int, narrower: Narrower, emit: Emit) -> None:
        if candidates.bit_count() > _FEW:
            parts = self._best_parts(box, candidates)
            if parts is not None:
                dim, masks = parts
                for flows, mask in masks.items():
                    if flows:
                        piece = list(box)
                        piece[dim] = mask
                        if narrower.narrow(piece, 1 << dim):
                            narrowed = tuple(piece)
                            self._split(narrowed, self._candidates(narrowed, flows), narrower, emit)
                return
        self._try_each(box, candidates, narrower, emit)

    def _best_parts(self, box: Box, candidates: int) -> tuple[int, dict[int, int]] | None:
        """Return the dimension along which to split, and for each set of flows the mask that meets them."""
        best: tuple[int, dict[int, int]] | None = None
        least = candidates.bit_count()
        for dim, by_atom in self._by_atom.items():
            if not candidates & ~self._any[dim]:
                continue
            masks = _parts(by_atom, self._any[dim] & candidates, box[dim], candidates)
            cost = sum(flows.bit_count() for flows in masks)
            if len(masks) > 1 and (best is None or cost < least):
                best, least = (dim, masks), cost
        return best

    def _try_each(self, box: Box, candidates: int, narrower: Narrower, emit: Emit) -> None:
        """Flows of one priority that overlap may each match: they all get what higher ones have left."""
        rest = [box]
        band: list[IndexedFlow] = []
        for number in places(candidates):
            entry = self.entries[number]
            if band and band[0].flow.priority != entry.flow.priority:
                rest = _without(rest, band, narrower)
                if not rest:
                    return
                band = []
            for part in rest if entry.flow.operations else ():
                hit = narrower.intersect(part, entry.conditions)
                if hit is not None:
                    emit(hit, entry.flow)
            band.append(entry)


class Tables:
    """The tables of all switches, each indexed when the first packet comes to it."""

    def __init__(self, space: Space, switches: Mapping[str, HeldFlows]) -> None:
        self._space = space
        self._found: dict[tuple[str, int], TableIndex] = {}
        by_table: dict[tuple[str, int], list[NeutralFlow]] = defaultdict(list)
        for name, switch in switches.items():
            for flow in switch.flows:
                by_table[name, flow.table].append(flow)
        self._flows = with_learned(by_table)

    def of(self, switch: str, number: int) -> TableIndex:
        found = self._found.get((switch, number))
        if found is None:
            found = self._found[switch, number] = TableIndex(
                self._space, self._flows.get((switch, number), ())
            )
        return found


def _without_last_drops(ordered: list[NeutralFlow]) -> list[NeutralFlow]:
    """Return flows without drops of the lowest priority: a packet that meets no flow is dropped as well."""
    end = len(ordered)
    while end and not ordered[end - 1].operations and ordered[end - 1].priority == ordered[-1].priority:
        end -= 1
    return ordered[:end]


def _without(boxes: list[Box], band: list[IndexedFlow], narrower: Narrower) -> list[Box]:
    """Return what some flows leave of boxes; a vague flow leaves all."""
    for entry in band:
        if not entry.flow.is_vague:
            boxes = [piece for box in boxes for piece in narrower.outside(box, entry.conditions)]
    return united(boxes, [dim for entry in band for dim, _ in entry.conditions]) if len(boxes) > 8 else boxes


def _bits(numbers: list[int]) -> int:
    if not numbers:
        return 0
    body = bytearray(numbers[-1] // 8 + 1)
    for number in numbers:
        body[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(body, "little")


def _parts(by_atom: dict[int, int], everywhere: int, mask: int, candidates: int) -> dict[int, int]:
    """Return, for each set of flows, the atoms of a mask that meet exactly these."""
    parts: dict[int, int] = {}
    rest = mask
    atoms = places(mask) if mask.bit_count() <= len(by_atom) else (a for a in by_atom if mask >> a & 1)
    for atom in atoms:
        flows = by_atom.get(atom)
        if flows is not None:
            bit = 1 << atom
            rest &= ~bit
            found = flows & candidates | everywhere
            parts[found] = parts.get(found, 0) | bit
    if rest:
        parts[everywhere] = parts.get(everywhere, 0) | rest
    return parts
