"""A member at its limit gets no new sessions until there is room again; load empties no pool."""

from pathlib import Path

import pytest

from common.wire.health import HealthReport
from controller.policy.parse import parse_policy
from controller.pools.conntrack import Counts
from controller.pools.health import trusted
from controller.pools.members import MemberState
from controller.pools.roster import Roster

DEMO = (Path(__file__).parents[2] / "policies" / "demo.yaml").read_text(encoding="utf-8")
PROXY1, PROXY2 = "pools.proxies.members.proxy1", "pools.proxies.members.proxy2"
MAC1, MAC2 = "02:cc:00:00:00:01", "02:cc:00:00:00:02"


def limited(limit: int) -> str:
    return DEMO.replace("    kind: mail-proxy\n", f"    kind: mail-proxy\n    limit: {limit}\n")


@pytest.fixture
def roster() -> Roster:
    """The demo's pools; each proxy takes ten sessions."""
    roster = Roster()
    roster.on_policy(parse_policy(limited(10), "p.yaml"), (), newcomer=trusted(0.0))
    return roster


def test_a_member_at_its_limit_is_full_and_gets_no_new_sessions(roster: Roster) -> None:
    assert roster.on_counts(0.0, Counts({MAC1: 9})) == ()
    (change,) = roster.on_counts(0.0, Counts({MAC1: 10}))
    assert (change.before, change.member.state) == (MemberState.UP, MemberState.FULL)
    assert roster.shares == {PROXY1: 0}
    assert roster.unready == frozenset()


def test_a_full_member_gets_sessions_again_below_nine_tenths_of_its_limit(roster: Roster) -> None:
    roster.on_counts(0.0, Counts({MAC1: 10}))
    assert roster.on_counts(0.0, Counts({MAC1: 9})) == ()
    (change,) = roster.on_counts(0.0, Counts({MAC1: 8}))
    assert change.member.state is MemberState.UP
    assert roster.shares == {}


def test_where_all_are_full_each_keeps_its_share_and_sheds_what_it_must(roster: Roster) -> None:
    roster.on_counts(0.0, Counts({MAC1: 10, MAC2: 12}))
    assert roster.unready == {"proxies"}
    assert roster.shares == {}


def test_the_last_one_that_is_not_down_is_no_reason_to_call_a_pool_empty_when_it_is_full(
    roster: Roster,
) -> None:
    roster.on_ports(0.0, "s1", set(range(1, 12)) - {5})
    roster.on_counts(0.0, Counts({MAC1: 10}))
    assert roster.unready == {"proxies"}
    assert roster.shares == {PROXY2: 0}


def test_a_full_member_that_dies_is_down_and_its_pool_empty(roster: Roster) -> None:
    roster.on_counts(0.0, Counts({MAC1: 10, MAC2: 10}))
    roster.on_ports(0.0, "s1", set(range(1, 12)) - {4, 5})
    assert roster.unready == frozenset()
    assert roster.shares == {PROXY1: 0, PROXY2: 0}


def test_a_full_member_that_is_drained_is_draining(roster: Roster) -> None:
    roster.on_counts(0.0, Counts({MAC1: 10}))
    (change,) = roster.on_drained(0.0, PROXY1, True)
    assert change.member.state is MemberState.DRAINING


def test_a_policy_without_the_limit_makes_nobody_full(roster: Roster) -> None:
    roster.on_counts(0.0, Counts({MAC1: 10}))
    roster.on_policy(parse_policy(DEMO, "p.yaml"), ())
    assert roster.find("proxy1").state is MemberState.UP
    assert roster.on_counts(0.0, Counts({MAC1: 1_000_000})) == ()


def test_a_higher_limit_makes_room_with_the_next_count(roster: Roster) -> None:
    roster.on_counts(0.0, Counts({MAC1: 10}))
    roster.on_policy(parse_policy(limited(20), "p.yaml"), ())
    (change,) = roster.on_counts(0.0, Counts({MAC1: 10}))
    assert change.member.state is MemberState.UP


def test_a_limit_of_one_is_a_limit() -> None:
    roster = Roster()
    roster.on_policy(parse_policy(limited(1), "p.yaml"), (), newcomer=trusted(0.0))
    for count, state in ((1, MemberState.FULL), (0, MemberState.UP)):
        (change,) = roster.on_counts(0.0, Counts({MAC1: count}))
        assert change.member.state is state


def test_a_pool_of_which_nobody_is_proved_yet_is_not_called_empty() -> None:
    roster = Roster()
    roster.on_policy(parse_policy(DEMO, "p.yaml"), ())
    assert {"proxies", "scanners"} <= roster.unready
    roster.on_report(1.0, PROXY1, HealthReport(False, "refused"))
    assert "proxies" not in roster.unready
    assert roster.shares[PROXY1] == roster.shares[PROXY2] == 0
