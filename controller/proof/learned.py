"""Flows by which a switch learns where senders are: what the packets that teach it can make it learn."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product

from controller.proof import dims
from controller.proof.atoms import places
from controller.proof.boxes import Narrower
from controller.proof.dims import Box
from controller.proof.flows import FieldCriterion, HeldFlows, NeutralFlow, Send, Teach
from controller.proof.space import Space

_PRIORITY = 0x10000  # above all others; as the flow is vague, it may also not be there


def learned_by(
    space: Space, narrower: Narrower, box: Box, teach: Teach, flow: NeutralFlow
) -> Iterator[NeutralFlow]:
    """Yield the flows that the packets of a box may teach: one for each port, and each copied value."""
    ports = space.domain(dims.IN_PORT).prefixes
    for atom in places(box[dims.IN_PORT]):
        number, length = ports[atom]
        came = narrower.intersect(box, [(dims.IN_PORT, 1 << atom)])
        if came is None:
            continue
        out = Send(number if length else -1)
        for copied in product(*(_criteria(space, came, to, of) for to, of in teach.copies)):
            criteria, operations = (*teach.criteria, *copied), (*teach.operations, out)
            yield NeutralFlow(
                teach.table, _PRIORITY, criteria, operations, flow.cookie, True, f"learned: {out}"
            )


def _criteria(space: Space, box: Box, to: int, of: int) -> list[FieldCriterion]:
    prefixes = space.domain(of).prefixes
    return [FieldCriterion(to, *prefixes[atom]) for atom in places(box[of])]


def with_learned(
    switches: Mapping[str, HeldFlows], taught: Mapping[str, Mapping[NeutralFlow, None]]
) -> dict[str, HeldFlows]:
    """Return switches with what they may have learned."""
    return {
        name: replace(held, flows=tuple(dict.fromkeys((*held.flows, *taught.get(name, {})))))
        for name, held in switches.items()
    }
