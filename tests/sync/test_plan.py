"""What differs between desired and installed, and in which order it is sent."""

from dataclasses import replace

import pytest

from controller.sync.plan import Plan, difference
from controller.sync.state import WireFlow, WireGroup, WireKey, WireLearned, WireState


def flow(priority: int, cookie: int = 1, instructions: bytes = b"") -> WireFlow:
    return WireFlow(WireKey(7, priority, b""), cookie, instructions, b"")


def group(number: int, buckets: bytes = b"one") -> WireGroup:
    return WireGroup(number, 1, buckets)


def state(*parts: WireFlow | WireGroup) -> WireState:
    flows = {part.key: part for part in parts if isinstance(part, WireFlow)}
    return WireState(flows, {part.group_id: part for part in parts if isinstance(part, WireGroup)})


FULL = state(flow(1), flow(2), group(3))


def test_what_is_as_desired_needs_no_plan() -> None:
    assert difference(FULL, FULL) == Plan()
    assert Plan().is_empty


def test_everything_is_sent_to_an_empty_switch() -> None:
    assert difference(FULL, WireState()) == Plan(new_groups=(group(3),), put_flows=(flow(1), flow(2)))


def test_everything_is_deleted_when_nothing_is_desired() -> None:
    plan = difference(WireState(), FULL)
    assert plan == Plan(deleted_flows=(flow(1), flow(2)), deleted_groups=(group(3),))


def test_a_flow_with_other_instructions_is_put_in_place_of_the_old_one() -> None:
    desired = state(flow(1, instructions=b"goto"))
    assert difference(desired, state(flow(1))) == Plan(put_flows=(flow(1, instructions=b"goto"),))


def test_a_flow_with_another_cookie_is_put_in_place_of_the_old_one() -> None:
    assert difference(state(flow(1, cookie=9)), state(flow(1))) == Plan(put_flows=(flow(1, cookie=9),))


def test_a_match_reported_in_another_order_is_no_difference() -> None:
    reported = replace(flow(1), wire_fields=b"the same fields, turned round")
    assert difference(state(flow(1)), state(reported)).is_empty


def test_a_group_with_other_buckets_is_changed_and_not_deleted() -> None:
    assert difference(state(group(3, b"two")), state(group(3))) == Plan(changed_groups=(group(3, b"two"),))


def test_a_group_of_another_kind_is_changed() -> None:
    other = replace(group(3), kind=0)
    assert difference(state(group(3)), state(other)).changed_groups == (group(3),)


def test_a_flow_that_somebody_added_by_hand_is_taken_out_and_nothing_else_is_touched() -> None:
    foreign = WireFlow(WireKey(7, 65_000, b"other"), 0, b"output", b"other")
    installed = state(*FULL.flows.values(), *FULL.groups.values(), foreign)
    assert difference(FULL, installed) == Plan(deleted_flows=(foreign,))


def test_the_order_in_which_a_switch_reports_does_not_change_the_plan() -> None:
    one, other = state(flow(1), flow(2), group(3), group(4)), state(group(4), group(3), flow(2), flow(1))
    assert difference(one, WireState()) == difference(other, WireState())
    assert difference(WireState(), one) == difference(WireState(), other)


def test_a_plan_says_in_words_how_much_it_changes() -> None:
    plan = difference(state(flow(1), group(3, b"two"), group(4)), state(flow(2), group(3), group(5)))
    assert str(plan) == "1 flows put, 1 deleted; groups: 1 new, 1 changed, 1 deleted"
    assert plan.size == 5


LEARNING = replace(
    FULL, learned=frozenset({WireLearned(7, 1, b"next hop", 5, 60 << 16, b"from ", 4, b" to pool")})
)
LEARNED = WireFlow(WireKey(7, 5, b"from here to pool"), 1, b"next hop", b"", 60 << 16)


def test_a_flow_that_the_switch_has_learned_from_one_of_ours_is_left_alone() -> None:
    installed = state(*FULL.flows.values(), *FULL.groups.values(), LEARNED)
    assert difference(LEARNING, installed).is_empty
    assert difference(FULL, installed).deleted_flows == (LEARNED,)


@pytest.mark.parametrize(
    "other",
    [
        replace(LEARNED, instructions=b"out of port 2"),
        replace(LEARNED, cookie=2),
        replace(LEARNED, expires=0),
        replace(LEARNED, key=WireKey(8, 5, LEARNED.key.fields)),
        replace(LEARNED, key=WireKey(7, 9, LEARNED.key.fields)),
        replace(LEARNED, key=WireKey(7, 5, b"")),
        replace(LEARNED, key=WireKey(7, 5, b"from here to port")),
    ],
    ids=["does more", "another cookie", "stays", "elsewhere", "stronger", "of all", "of others"],
)
def test_what_only_looks_like_a_learned_flow_is_taken_out(other: WireFlow) -> None:
    installed = state(*FULL.flows.values(), *FULL.groups.values(), other)
    assert difference(LEARNING, installed) == Plan(deleted_flows=(other,))
