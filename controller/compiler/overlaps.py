"""Conflicting flows of one table: flows that never match, or whose order is left to the switch.

Flows are sorted by shape (the bits that they match), and shapes are compared, not
flows: a table has many flows and few shapes, so the work grows with the number of
flows, not with its square.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import lru_cache
from itertools import combinations

from controller.pipeline.fields import Field
from controller.pipeline.flows import Flow

Shape = tuple[tuple[str, int], ...]  # (field, mask), by field
_Values = tuple[int, ...]  # of the fields of a shape, in its order
_Picks = tuple[tuple[int, int], ...]  # (place in a shape, mask)
_Shaped = tuple[_Values, Flow]


def find_shadowed(flows: Iterable[Flow]) -> Iterator[tuple[Flow, Flow]]:
    """Yield (flow, other) where `other` takes every packet of `flow` and has at least its priority."""
    for by_shape in _by_shape(flows, lambda flow: flow.table):
        highest = {shape: _highest(some) for shape, some in by_shape.items()}
        for shape, some in by_shape.items():
            wider = [other for other in by_shape if _common(other, shape) == other]
            takers = [(highest[other], _picks(shape, other)) for other in wider]
            for values, flow in some:
                for taker_by_values, picks in takers:
                    taker = taker_by_values.get(_project(values, picks))
                    if taker and taker is not flow and taker.priority >= flow.priority:
                        yield flow, taker


def find_ambiguous(flows: Iterable[Flow]) -> Iterator[tuple[Flow, Flow]]:
    """Yield pairs of flows with one priority that match the same packet and treat it differently."""
    for by_shape in _by_shape(flows, lambda flow: (flow.table, flow.priority)):
        for one, other in combinations(by_shape, 2):
            common = _common(one, other)
            picks, other_picks = _picks(one, common), _picks(other, common)
            results: dict[_Values, list[Flow]] = defaultdict(list)
            for values, flow in by_shape[one]:
                seen = results[_project(values, picks)]
                # Two different results are enough: a third flow differs from at least one of them.
                if len(seen) < 2 and all(_result(flow) != _result(first) for first in seen):
                    seen.append(flow)
            for values, flow in by_shape[other]:
                for first in results.get(_project(values, other_picks), ()):
                    if _result(first) != _result(flow):
                        yield first, flow


def _by_shape(
    flows: Iterable[Flow], scope: Callable[[Flow], Hashable]
) -> Iterable[dict[Shape, list[_Shaped]]]:
    """Return, for each scope, its flows by shape."""
    found: dict[Hashable, dict[Shape, list[_Shaped]]] = defaultdict(lambda: defaultdict(list))
    for flow in flows:
        shape, order = _shape(tuple([(criterion.field, criterion.mask) for criterion in flow.match]))
        values = tuple([flow.match[place].value for place in order])
        found[scope(flow)][shape].append((values, flow))
    return found.values()


@lru_cache(maxsize=1 << 12)
def _shape(matched: tuple[tuple[Field, int], ...]) -> tuple[Shape, tuple[int, ...]]:
    """Return the shape of a match, and the places of its fields in the match."""
    found = sorted((field.name, mask, place) for place, (field, mask) in enumerate(matched))
    return tuple((name, mask) for name, mask, _ in found), tuple(place for *_, place in found)


@lru_cache(maxsize=1 << 14)  # shapes come from the compiler's stages, so they are few
def _common(one: Shape, other: Shape) -> Shape:
    """Return the bits that both shapes match."""
    masks = dict(other)
    return tuple((name, mask & masks[name]) for name, mask in one if mask & masks.get(name, 0))


@lru_cache(maxsize=1 << 14)
def _picks(shape: Shape, part: Shape) -> _Picks:
    places = {name: place for place, (name, _) in enumerate(shape)}
    return tuple((places[name], mask) for name, mask in part)


def _project(values: _Values, picks: _Picks) -> _Values:
    return tuple([values[place] & mask for place, mask in picks])


def _highest(flows: Iterable[_Shaped]) -> dict[_Values, Flow]:
    """Return the flow of highest priority for each set of values."""
    found: dict[_Values, Flow] = {}
    for values, flow in flows:
        first = found.get(values)
        if first is None or first.priority <= flow.priority:
            found[values] = flow
    return found


def _result(flow: Flow) -> tuple[object, ...]:
    return flow.actions, flow.goto
