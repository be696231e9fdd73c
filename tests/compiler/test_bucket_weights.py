"""Weights of members become weights of buckets that a table of slots can hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.compiler.bucket_weights import bucket_weights


@pytest.mark.parametrize("weights", [[1], [1, 1], [5, 5, 5, 5], [1, 3], [3, 5]])
def test_weights_that_sixteen_slots_can_hold_stay_as_they_are(weights: list[int]) -> None:
    assert bucket_weights(weights) == list(enumerate(weights))


def test_three_equal_members_get_almost_equal_parts_of_the_largest_table() -> None:
    assert bucket_weights([1, 1, 1]) == [(0, 85), (1, 85), (2, 85), (0, 1)]


def test_a_pool_without_members_has_no_buckets() -> None:
    assert bucket_weights([]) == []


@given(st.lists(st.integers(1, 100), min_size=1, max_size=40))
def test_every_member_has_its_share_and_the_table_stays_within_what_a_switch_takes(
    weights: list[int],
) -> None:
    buckets = bucket_weights(weights)
    total = sum(weight for _, weight in buckets)
    assert {index for index, _ in buckets} == set(range(len(weights)))
    assert total / min(weight for _, weight in buckets) <= 256
    for index, weight in enumerate(weights):
        share = sum(part for at, part in buckets if at == index) / total
        fair = weight / sum(weights)
        assert abs(share - fair) <= 1 / 128 or abs(share / fair - 1) <= 0.03
