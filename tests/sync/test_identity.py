"""What differs between two states by identity, after random edits: against what sets of objects say."""

from random import Random

import pytest

from controller.sync.identity import changes
from controller.sync.state import WireFlow, WireKey

Flows = dict[WireKey, WireFlow]


def _flow(number: int) -> WireFlow:
    key = WireKey(number % 5, number, b"")
    return WireFlow(key, number, b"", b"")


def _edited(flows: Flows, random: Random) -> Flows:
    """Remove, replace and add some flows, at the end and in between."""
    kept = [flow for flow in flows.values() if random.random() > 0.02]
    edited = [_flow(flow.key.priority) if random.random() < 0.02 else flow for flow in kept]
    for number in range(random.randrange(6)):
        edited.insert(random.randrange(len(edited)), _flow(10_000 + number))
    return {flow.key: flow for flow in edited}


def _found(before: Flows, after: Flows) -> tuple[list[int], list[int]]:
    portions = list(changes(before, after))
    return sorted(id(f) for gone, _ in portions for f in gone), sorted(
        id(f) for _, come in portions for f in come
    )


def _wanted(before: Flows, after: Flows) -> tuple[list[int], list[int]]:
    old, new = set(map(id, before.values())), set(map(id, after.values()))
    return sorted(old - new), sorted(new - old)


@pytest.fixture
def flows() -> Flows:
    return {flow.key: flow for flow in map(_flow, range(400))}


@pytest.mark.parametrize("seed", range(10))
def test_exactly_the_flows_that_an_edit_touched_are_found(flows: Flows, seed: int) -> None:
    edited = _edited(flows, Random(seed))
    assert _found(flows, edited) == _wanted(flows, edited)


def test_a_state_in_another_order_is_compared_as_well(flows: Flows) -> None:
    shuffled = list(_edited(flows, Random(1)).values())
    Random(2).shuffle(shuffled)
    other = {flow.key: flow for flow in shuffled}
    assert _found(flows, other) == _wanted(flows, other)


def test_all_flows_are_new_to_an_empty_state(flows: Flows) -> None:
    assert _found({}, flows) == ([], sorted(map(id, flows.values())))
    assert _found(flows, {}) == (sorted(map(id, flows.values())), [])
