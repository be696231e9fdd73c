"""Who takes new sessions, fact by fact."""

from pathlib import Path

import pytest

from controller.policy.model import Policy
from controller.policy.parse import parse_policy, read_policy
from controller.pools.conntrack import Counts
from controller.pools.health import trusted
from controller.pools.members import MemberState
from controller.pools.roster import Roster, UnknownMember

DEMO = Path(__file__).parents[2] / "policies" / "demo.yaml"
PROXY1 = "pools.proxies.members.proxy1"
ALL_PORTS = set(range(1, 12))


@pytest.fixture
def policy() -> Policy:
    return read_policy(DEMO)


@pytest.fixture
def roster(policy: Policy) -> Roster:
    roster = Roster()
    roster.on_policy(policy, (), newcomer=trusted(0.0))
    return roster


def test_everybody_is_up_until_something_else_is_known(roster: Roster) -> None:
    assert {member.state for member in roster.members} == {MemberState.UP}
    assert roster.resting == frozenset()


def test_a_drained_member_rests_and_is_empty_once_its_last_session_has_ended(roster: Roster) -> None:
    roster.on_counts(0.0, Counts({"02:cc:00:00:00:01": 2}))
    (change,) = roster.on_drained(0.0, PROXY1, True)
    assert (change.before, change.member.state) == (MemberState.UP, MemberState.DRAINING)
    assert roster.resting == {PROXY1}
    assert roster.on_counts(0.0, Counts({"02:cc:00:00:00:01": 1})) == ()
    assert roster.on_counts(0.0, Counts({}, {"02:cc:00:00:00:01": 1})) == (), "a client may be about to begin"
    (change,) = roster.on_counts(0.0, Counts({}))
    assert change.member.state is MemberState.EMPTY
    assert roster.resting == {PROXY1}


def test_nobody_is_called_empty_before_anybody_has_counted(roster: Roster) -> None:
    (change,) = roster.on_drained(0.0, PROXY1, True)
    assert change.member.state is MemberState.DRAINING


def test_a_member_whose_port_is_down_is_down_drained_or_not(roster: Roster) -> None:
    (change,) = roster.on_ports(0.0, "s1", ALL_PORTS - {4})
    assert (change.member.name, change.member.state) == ("proxy1", MemberState.DOWN)
    assert roster.on_drained(0.0, PROXY1, True) == ()
    (change,) = roster.on_ports(0.0, "s1", ALL_PORTS)
    assert change.member.state is MemberState.DRAINING


def test_another_switch_says_nothing_about_a_members_port(roster: Roster) -> None:
    assert roster.on_ports(0.0, "s2", set()) == ()


def test_a_policy_keeps_what_is_known_of_members_that_stay(roster: Roster, policy: Policy) -> None:
    roster.on_ports(0.0, "s1", ALL_PORTS - {5})
    roster.on_counts(0.0, Counts({"02:cc:00:00:00:01": 3}))
    roster.on_policy(policy, {PROXY1, "pools.gone.members.gone"})
    assert roster.find("proxy1").state is MemberState.DRAINING
    assert roster.find("proxy1").sessions == 3
    assert roster.find("proxy2").state is MemberState.DOWN


def test_a_removed_member_is_forgotten(roster: Roster) -> None:
    text = DEMO.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if "proxy2:" not in line]
    roster.on_policy(parse_policy("\n".join(lines), "p.yaml"), ())
    with pytest.raises(UnknownMember, match="no pool has a member proxy2"):
        roster.find("proxy2")


def test_a_name_that_several_pools_use_must_say_which(roster: Roster) -> None:
    text = DEMO.read_text(encoding="utf-8").replace("scanner1:", "proxy1:")
    roster.on_policy(parse_policy(text, "p.yaml"), ())
    with pytest.raises(
        UnknownMember, match=r"several pools; remedy: use one of proxies\.proxy1, scanners\.proxy1"
    ):
        roster.find("proxy1")
    assert roster.find("scanners.proxy1").pool == "scanners"
