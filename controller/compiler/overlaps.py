"""Conflicting flows of one table: flows that never match, or whose order is left to the switch.

Flows are sorted by shape (the bits that they match), and shapes are compared, not
flows: a table has many flows and few shapes, so the work grows with the number of
flows, not with its square.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from itertools import combinations

from controller.pipeline.flows import Flow

Shape = tuple[tuple[str, int], ...]  # (field, mask), by field


def find_shadowed(flows: Iterable[Flow]) -> Iterator[tuple[Flow, Flow]]:
    """Yield (flow, other) where `other` takes every packet of `flow` and has at least its priority."""
    for by_shape in _by_shape(flows, lambda flow: flow.table):
        highest = {shape: _highest(shape, some) for shape, some in by_shape.items()}
        for shape, some in by_shape.items():
            wider = [other for other in by_shape if _common(other, shape) == other]
            for flow in some:
                values = _values(flow)
                for other in wider:
                    taker = highest[other].get(_project(values, other))
                    if taker and taker is not flow and taker.priority >= flow.priority:
                        yield flow, taker


def find_ambiguous(flows: Iterable[Flow]) -> Iterator[tuple[Flow, Flow]]:
    """Yield pairs of flows with one priority that match the same packet and treat it differently."""
    for by_shape in _by_shape(flows, lambda flow: (flow.table, flow.priority)):
        for one, other in combinations(by_shape, 2):
            common = _common(one, other)
            results: dict[tuple[int, ...], list[Flow]] = defaultdict(list)
            for flow in by_shape[one]:
                seen = results[_project(_values(flow), common)]
                # Two different results are enough: a third flow differs from at least one of them.
                if len(seen) < 2 and all(_result(flow) != _result(first) for first in seen):
                    seen.append(flow)
            for flow in by_shape[other]:
                for first in results.get(_project(_values(flow), common), ()):
                    if _result(first) != _result(flow):
                        yield first, flow


def _by_shape(flows: Iterable[Flow], scope: Callable[[Flow], Hashable]) -> Iterable[dict[Shape, list[Flow]]]:
    """Return, for each scope, its flows by shape."""
    found: dict[Hashable, dict[Shape, list[Flow]]] = defaultdict(lambda: defaultdict(list))
    for flow in flows:
        found[scope(flow)][_shape(flow)].append(flow)
    return found.values()


def _shape(flow: Flow) -> Shape:
    return tuple(sorted((criterion.field.name, criterion.mask) for criterion in flow.match))


def _common(one: Shape, other: Shape) -> Shape:
    """Return the bits that both shapes match."""
    masks = dict(other)
    return tuple((name, mask & masks[name]) for name, mask in one if mask & masks.get(name, 0))


def _values(flow: Flow) -> dict[str, int]:
    return {criterion.field.name: criterion.value for criterion in flow.match}


def _project(values: Mapping[str, int], shape: Shape) -> tuple[int, ...]:
    return tuple(values[name] & mask for name, mask in shape)


def _highest(shape: Shape, flows: Iterable[Flow]) -> dict[tuple[int, ...], Flow]:
    """Return the flow of highest priority for each set of values."""
    found: dict[tuple[int, ...], Flow] = {}
    for flow in sorted(flows, key=lambda flow: flow.priority):
        found[_project(_values(flow), shape)] = flow
    return found


def _result(flow: Flow) -> tuple[object, ...]:
    return flow.actions, flow.goto
