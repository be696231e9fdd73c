"""A member that left the policy stays until its sessions have ended, unless somebody needs its place."""

from pathlib import Path

import pytest

from controller.policy.model import Policy
from controller.policy.parse import parse_policy, read_policy
from controller.pools.removed_members import member_paths, with_leaving, without_members

DEMO = Path(__file__).parents[2] / "policies" / "demo.yaml"
PROXY2 = "pools.proxies.members.proxy2"


def edited(old: str, new: str) -> Policy:
    text = DEMO.read_text(encoding="utf-8")
    assert old in text
    return parse_policy(text.replace(old, new), "p.yaml")


@pytest.fixture
def before() -> Policy:
    return read_policy(DEMO)


@pytest.fixture
def after() -> Policy:
    lines = [line for line in DEMO.read_text(encoding="utf-8").splitlines() if "proxy2:" not in line]
    return parse_policy("\n".join(lines), "p.yaml")


def test_a_removed_member_is_carried_on_with_the_place_where_it_was_written(
    before: Policy, after: Policy
) -> None:
    carried = with_leaving(after, before, lambda _: True)
    assert member_paths(carried) - member_paths(after) == {PROXY2}
    assert carried.places[PROXY2] == before.places[PROXY2]


def test_a_removed_member_without_sessions_is_not_carried_on(before: Policy, after: Policy) -> None:
    assert member_paths(with_leaving(after, before, lambda _: False)) == member_paths(after)


def test_a_member_that_has_finished_is_let_go(before: Policy, after: Policy) -> None:
    carried = with_leaving(after, before, lambda _: True)
    assert without_members(carried, {PROXY2}) == after


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("proxy2: {at: s1:5", "proxy9: {at: s1:5"),
        ("proxy2: {at: s1:5, mac: 02:cc:00:00:00:02", "proxy9: {at: s1:19, mac: 02:cc:00:00:00:02"),
        ("proxy2: {at: s1:5, mac: 02:cc:00:00:00:02", "proxy9: {at: s1:19, mac: 02:cc:00:00:00:09"),
    ],
    ids=["its port", "its MAC", "its addresses"],
)
def test_a_member_whose_place_is_taken_ends(before: Policy, old: str, new: str) -> None:
    after = edited(old, new)
    assert member_paths(with_leaving(after, before, lambda _: True)) == member_paths(after)


def test_a_pool_that_is_gone_takes_its_members_with_it(before: Policy) -> None:
    text = (
        DEMO.read_text(encoding="utf-8")
        .replace("proxies: proxies", "proxies: others")
        .replace("  proxies:\n    kind", "  others:\n    kind")
    )
    after = parse_policy(text, "p.yaml")
    assert member_paths(with_leaving(after, before, lambda _: True)) == member_paths(after)
