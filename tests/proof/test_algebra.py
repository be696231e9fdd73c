"""The algebra of atoms, boxes, ties and tables, against brute force on small domains."""

import itertools
from collections.abc import Sequence

import hypothesis
from hypothesis import strategies as st

from controller.proof.atoms import cut, places, prefix_length
from controller.proof.boxes import difference, united
from controller.proof.dims import SIZE, Box
from controller.proof.ties import Tie
from tests.examples import examples

BITS = 5
prefixes = st.integers(0, BITS).flatmap(
    lambda length: st.integers(0, (1 << length) - 1).map(lambda head: (head << (BITS - length), length))
)


def _contains(prefix: tuple[int, int], value: int) -> bool:
    return value >> (BITS - prefix[1]) == prefix[0] >> (BITS - prefix[1])


@hypothesis.given(st.lists(prefixes, max_size=12))
@examples(300)
def test_the_mask_of_a_prefix_has_exactly_the_atoms_of_its_values(constants: list[tuple[int, int]]) -> None:
    domain = cut(BITS, constants)
    for prefix in constants:
        for value in range(1 << BITS):
            assert bool(domain.masks[prefix] & domain.atom_of(value)) == _contains(prefix, value)


@hypothesis.given(st.lists(prefixes, max_size=12))
@examples(200)
def test_values_of_one_atom_are_not_told_apart_by_any_constant(constants: list[tuple[int, int]]) -> None:
    domain = cut(BITS, constants)
    for one, other in itertools.combinations(range(1 << BITS), 2):
        same = all(_contains(prefix, one) == _contains(prefix, other) for prefix in constants)
        # Two constants that leave nothing between them may make atoms without values, never the reverse.
        assert domain.atom_of(one) != domain.atom_of(other) or same
    for value in range(1 << BITS):
        (place,) = places(domain.atom_of(value))
        example = domain.example(place)
        assert domain.atom_of(example) == 1 << place


@hypothesis.given(st.integers(0, (1 << BITS) - 1))
def test_a_mask_is_a_prefix_only_if_its_ones_come_first(mask: int) -> None:
    text = f"{mask:0{BITS}b}"
    length = prefix_length(mask, BITS)
    assert (length is not None) == ("01" not in text)
    assert length is None or length == text.count("1")


_DIMS = (0, 1, 2)
masks = st.integers(1, 7)


def _box(values: Sequence[int]) -> Box:
    return (*values, *(1 for _ in range(SIZE - len(values))))


boxes = st.tuples(masks, masks, masks).map(_box)
conditions = st.dictionaries(st.sampled_from(_DIMS), st.integers(1, 7)).map(
    lambda found: tuple(found.items())
)


def _points(box: Box) -> set[tuple[int, ...]]:
    return set(itertools.product(*(list(places(box[dim])) for dim in _DIMS)))


@hypothesis.given(boxes, conditions)
@examples(300)
def test_a_difference_has_exactly_the_points_outside(box: Box, wanted: tuple[tuple[int, int], ...]) -> None:
    inside = {point for point in _points(box) if all(mask >> point[dim] & 1 for dim, mask in wanted)}
    pieces = difference(box, wanted)
    points = [point for piece in pieces for point in _points(piece)]
    assert len(points) == len(set(points)), "pieces overlap"
    assert set(points) == _points(box) - inside


@hypothesis.given(st.lists(boxes, max_size=8))
@examples(300)
def test_united_boxes_have_exactly_the_same_points(several: list[Box]) -> None:
    before = {point for box in several for point in _points(box)}
    after = united(several, _DIMS)
    assert {point for box in after for point in _points(box)} == before
    assert len(after) <= len(several)


@hypothesis.given(
    st.dictionaries(st.integers(0, 4), st.tuples(masks, masks), min_size=1), masks, st.integers(1, 31)
)
@examples(300)
def test_a_tie_answers_as_its_rows_say(rows: dict[int, tuple[int, ...]], mask: int, keys: int) -> None:
    tie = Tie(0, (1, 2), rows)
    assert tie.keys_of(0, mask) == sum(1 << key for key, row in rows.items() if row[0] & mask)
    chosen = [row for key, row in rows.items() if keys >> key & 1]
    expected = tuple(_or(row[place] for row in chosen) for place in (0, 1))
    assert tie.union(keys) == expected
    assert tie.without(0) is None
    rest = tie.without(2)
    assert rest is not None and rest.rows == {key: row[:1] for key, row in rows.items()}


def _or(numbers: object) -> int:
    united_ = 0
    for number in numbers:  # type: ignore[attr-defined]
        united_ |= number
    return united_
