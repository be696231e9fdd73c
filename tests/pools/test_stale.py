"""A scanner with old signatures is up, but stale: better than nobody, and worse than a fresh one."""

from pathlib import Path

import pytest

from common.wire.health import HealthReport
from controller.policy.parse import read_policy
from controller.pools.health import trusted
from controller.pools.members import MemberState
from controller.pools.roster import Roster

DEMO = Path(__file__).parents[2] / "policies" / "demo.yaml"
SCANNER1, SCANNER2 = "pools.scanners.members.scanner1", "pools.scanners.members.scanner2"
OLD = HealthReport(True, stale="signatures are 9 days old")


@pytest.fixture
def roster() -> Roster:
    roster = Roster()
    roster.on_policy(read_policy(DEMO), (), newcomer=trusted(0.0))
    return roster


def test_a_stale_member_gets_no_new_sessions_while_a_fresh_one_does(roster: Roster) -> None:
    (change,) = roster.on_report(1.0, SCANNER1, OLD)
    assert (change.before, change.member.state) == (MemberState.UP, MemberState.STALE)
    assert change.member.detail == "signatures are 9 days old"
    assert roster.resting == {SCANNER1}


def test_when_all_are_stale_all_take_sessions(roster: Roster) -> None:
    roster.on_report(1.0, SCANNER1, OLD)
    roster.on_report(1.0, SCANNER2, OLD)
    assert roster.resting == frozenset()
    assert roster.resting != {member.path for member in roster.members}


def test_a_stale_member_takes_over_when_the_last_fresh_one_goes_down(roster: Roster) -> None:
    roster.on_report(1.0, SCANNER1, OLD)
    for _ in range(2):
        roster.on_report(2.0, SCANNER2, HealthReport(False, "refused"))
    assert roster.resting == {SCANNER2}
    assert roster.shares == {SCANNER2: 0}


def test_new_signatures_make_a_member_fresh_at_once(roster: Roster) -> None:
    roster.on_report(1.0, SCANNER1, OLD)
    (change,) = roster.on_report(2.0, SCANNER1, HealthReport(True))
    assert (change.before, change.member.state) == (MemberState.STALE, MemberState.UP)
    assert roster.resting == frozenset()


def test_a_stale_member_that_does_not_answer_is_down(roster: Roster) -> None:
    roster.on_report(1.0, SCANNER1, OLD)
    for _ in range(2):
        roster.on_report(2.0, SCANNER1, HealthReport(False, "refused", stale="signatures are 9 days old"))
    assert roster.find("scanner1").state is MemberState.DOWN
    assert roster.find("scanner1").detail == "refused"


def test_a_stale_member_is_better_than_one_that_is_held_down(roster: Roster) -> None:
    for now in (1.0, 2.0, 3.0):
        roster.on_ports(now, "s1", set(range(1, 12)) - {6})
        roster.on_ports(now + 0.5, "s1", set(range(1, 12)))
    assert roster.find("scanner1").state is MemberState.HELD
    roster.on_report(4.0, SCANNER2, OLD)
    assert roster.resting == {SCANNER1}


def test_a_new_member_that_is_stale_joins_as_stale() -> None:
    roster = Roster()
    roster.on_policy(read_policy(DEMO), ())
    (change,) = roster.on_report(1.0, SCANNER1, OLD)
    assert (change.before, change.member.state) == (MemberState.JOINING, MemberState.STALE)
