"""What a roster remembers across a restart, and what it makes of it."""

import json
from pathlib import Path

import pytest

from common.wire.codec import from_media, to_media
from common.wire.health import CheckKind, HealthReport
from controller.policy.model import Policy
from controller.policy.parse import parse_policy, read_policy
from controller.pools.conntrack import Counts
from controller.pools.health import trusted
from controller.pools.members import MemberState
from controller.pools.memory import RememberedNetwork, RememberedPort
from controller.pools.roster import Roster

DEMO = Path(__file__).parents[2] / "policies" / "demo.yaml"
PROXY1, PROXY2 = "pools.proxies.members.proxy1", "pools.proxies.members.proxy2"
BAD = HealthReport(False, "clamd:3310: refused", failed=(CheckKind.CLAMD,))
GOOD = HealthReport(True)


@pytest.fixture
def policy() -> Policy:
    return read_policy(DEMO)


def begun(policy: Policy, now: float = 0.0) -> Roster:
    roster = Roster()
    roster.on_policy(policy, (), newcomer=trusted(now), now=now)
    return roster


def restarted(policy: Policy, before: Roster, *ports: int, now: float = 1_000.0) -> Roster:
    """Return a roster that knows what the store would have kept of another one."""
    kept = RememberedNetwork(before.remembered(), tuple(RememberedPort("s1", port) for port in ports))
    roster = begun(policy, now)
    roster.recall(now, from_media(RememberedNetwork, json.loads(json.dumps(to_media(kept)))))
    return roster


def test_of_members_that_are_up_nothing_is_remembered(policy: Policy) -> None:
    assert begun(policy).remembered() == ()


def test_a_member_that_is_down_keeps_its_reason_and_its_sessions(policy: Policy) -> None:
    """Its gateway outlives its clamd: after a restart as well, its sessions must not be cut."""
    before = begun(policy)
    for _ in range(2):
        before.on_report(0.0, PROXY1, BAD)
    member = restarted(policy, before).find(PROXY1)
    assert (member.state, member.detail, member.is_gone) == (MemberState.DOWN, BAD.detail, False)


def test_it_needs_as_many_good_reports_as_ever(policy: Policy) -> None:
    before = begun(policy)
    for _ in range(2):
        before.on_report(0.0, PROXY1, BAD)
    roster = restarted(policy, before)
    assert roster.on_report(1_000.0, PROXY1, GOOD) == ()
    (change,) = roster.on_report(1_000.3, PROXY1, GOOD)
    assert change.member.state is MemberState.UP


def test_a_hold_goes_on_after_a_restart_and_ends(policy: Policy) -> None:
    before = begun(policy)
    for _ in range(3):
        for report in (BAD, BAD, GOOD, GOOD):
            before.on_report(0.0, PROXY1, report)
    assert before.find(PROXY1).state is MemberState.HELD
    roster = restarted(policy, before)
    assert roster.find(PROXY1).state is MemberState.HELD
    for member in roster.members:
        roster.on_report(1_011.0, member.path, GOOD)
    assert roster.find(PROXY1).state is MemberState.UP


def test_a_limit_that_was_lifted_meanwhile_is_not_remembered(policy: Policy) -> None:
    text = DEMO.read_text(encoding="utf-8").replace("proxy1: {at: s1:4,", "proxy1: {limit: 1, at: s1:4,")
    before = begun(parse_policy(text, "limited.yaml"))
    before.on_counts(0.0, Counts({"02:cc:00:00:00:01": 1}))
    assert before.find(PROXY1).state is MemberState.FULL
    assert restarted(policy, before).find(PROXY1).state is MemberState.UP


def test_a_pool_without_room_by_memory_alone_is_unready_until_there_is_news(policy: Policy) -> None:
    before = begun(policy)
    for path in (PROXY1, PROXY2):
        for _ in range(2):
            before.on_report(0.0, path, BAD)
    assert before.unready == frozenset()
    roster = restarted(policy, before)
    assert roster.unready == {"proxies"}
    roster.on_report(1_000.0, PROXY1, BAD)
    assert roster.unready == {"proxies"}
    roster.on_report(1_000.0, PROXY2, BAD)
    assert roster.unready == frozenset()


def test_ports_are_news_for_ports_and_reports_for_reports(policy: Policy) -> None:
    """A member that is down for both reasons is down by memory until both are confirmed."""
    before = begun(policy)
    for path in (PROXY1, PROXY2):
        for _ in range(2):
            before.on_report(0.0, path, BAD)
    roster = restarted(policy, before, 4, 5)
    roster.on_ports(1_000.0, "s1", {1, 2, 3})
    assert "proxies" not in roster.unready, "their ports are down, and that is not old news"
    roster.on_ports(1_000.0, "s1", {1, 2, 3, 4, 5})
    assert "proxies" in roster.unready


def test_a_pool_that_is_empty_because_all_are_drained_is_not_waited_for(policy: Policy) -> None:
    before = begun(policy)
    roster = Roster()
    roster.on_policy(policy, (PROXY1, PROXY2), newcomer=trusted(0.0))
    roster.recall(0.0, RememberedNetwork(before.remembered()))
    assert roster.unready == frozenset()


def test_a_copy_can_be_changed_without_the_original(policy: Policy) -> None:
    roster = begun(policy)
    other = roster.copy()
    other.on_drained(0.0, PROXY1, True)
    other.on_report(0.0, PROXY2, BAD)
    assert roster.find(PROXY1).state is MemberState.UP
    assert roster.resting == frozenset()
