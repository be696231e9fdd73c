"""A member that goes down again and again is held down, and never when it is the last one."""

from pathlib import Path

import pytest

from common.wire.health import HealthReport
from controller.policy.model import PoolHealth
from controller.policy.parse import parse_policy, read_policy
from controller.pools.flap_damping import LONGEST, REMEMBERED_S, TOLERATED_FALLS, Damping
from controller.pools.health import trusted
from controller.pools.members import MemberState, StateChanged
from controller.pools.roster import Roster

DEMO = Path(__file__).parents[2] / "policies" / "demo.yaml"
PROXY1, PROXY2 = "pools.proxies.members.proxy1", "pools.proxies.members.proxy2"
FIRST_HOLD_S = PoolHealth().hold_down_s
ALL_PORTS = set(range(1, 8))


@pytest.fixture
def roster() -> Roster:
    roster = Roster()
    roster.on_policy(read_policy(DEMO), (), newcomer=trusted(0.0))
    return roster


def falls(roster: Roster, now: float, path: str = PROXY1) -> StateChanged:
    """Let a member go down by two bad reports; return the change."""
    roster.on_report(now, path, HealthReport(False, "refused"))
    (change,) = roster.on_report(now, path, HealthReport(False, "refused"))
    return change


def rises(roster: Roster, now: float, path: str = PROXY1) -> MemberState:
    for _ in range(2):
        roster.on_report(now, path, HealthReport(True))
    return roster.find(path).state


def flap(roster: Roster, times: int, now: float = 0.0, path: str = PROXY1) -> None:
    for number in range(times):
        falls(roster, now + number, path)
        rises(roster, now + number + 0.5, path)


def test_a_member_may_fall_twice_and_is_believed_at_once(roster: Roster) -> None:
    for now in (1.0, 2.0):
        assert falls(roster, now).hold_s == 0.0
        assert rises(roster, now + 0.5) is MemberState.UP


def test_the_third_time_it_is_held_down_although_it_is_well(roster: Roster) -> None:
    flap(roster, 2)
    change = falls(roster, 3.0)
    assert change.hold_s == FIRST_HOLD_S
    assert rises(roster, 4.0) is MemberState.HELD
    assert PROXY1 in roster.resting
    assert roster.find("proxy1").detail == "held down for 10 s: it went down 3 times in 10 min"


def test_a_hold_ends_by_itself(roster: Roster) -> None:
    flap(roster, 3)
    assert roster.on_tick(FIRST_HOLD_S) == ()
    roster.on_report(FIRST_HOLD_S + 1.9, PROXY1, HealthReport(True))
    roster.on_report(FIRST_HOLD_S + 1.9, PROXY2, HealthReport(True))
    (change,) = roster.on_tick(FIRST_HOLD_S + 2.1)
    assert (change.before, change.member.state) == (MemberState.HELD, MemberState.UP)
    assert PROXY1 not in roster.resting


def test_a_hold_does_not_bring_up_what_is_not_well(roster: Roster) -> None:
    flap(roster, 2)
    falls(roster, 3.0)
    roster.on_tick(1000.0)
    assert roster.find("proxy1").state is MemberState.DOWN


def test_a_port_that_flaps_counts_as_reports_do(roster: Roster) -> None:
    for now in (1.0, 2.0, 3.0):
        roster.on_ports(now, "s1", ALL_PORTS - {4})
        roster.on_ports(now + 0.5, "s1", ALL_PORTS)
    assert roster.find("proxy1").state is MemberState.HELD


def test_the_last_one_standing_takes_sessions_although_it_is_held(roster: Roster) -> None:
    flap(roster, 3)
    assert roster.resting == {PROXY1}
    falls(roster, 4.0, PROXY2)
    assert roster.resting == {PROXY2}
    assert roster.resting != {member.path for member in roster.members}
    rises(roster, 5.0, PROXY2)
    assert roster.resting == {PROXY1}


def test_a_restart_of_a_drained_member_is_no_fall(roster: Roster) -> None:
    for now in (1.0, 2.0, 3.0, 4.0):
        roster.on_drained(now, PROXY1, True)
        falls(roster, now)
        rises(roster, now)
        roster.on_drained(now, PROXY1, False)
        assert roster.find("proxy1").state is MemberState.UP


def test_an_operator_ends_a_hold_by_resuming_the_member(roster: Roster) -> None:
    flap(roster, 3)
    (change,) = roster.on_drained(4.0, PROXY1, False)
    assert (change.before, change.member.state) == (MemberState.HELD, MemberState.UP)
    assert falls(roster, 5.0).hold_s == 0.0


def test_an_edit_of_the_policy_does_not_end_a_hold(roster: Roster) -> None:
    flap(roster, 3)
    roster.on_policy(read_policy(DEMO), (), now=4.0)
    assert roster.find("proxy1").state is MemberState.HELD


def test_holding_down_can_be_turned_off() -> None:
    roster = Roster()
    text = DEMO.read_text(encoding="utf-8").replace("health: agent", "health: {hold_down: 0s}", 1)
    roster.on_policy(parse_policy(text, "p.yaml"), (), newcomer=trusted(0.0))
    flap(roster, 9)
    assert roster.find("proxy1").state is MemberState.UP


def holds(falls: list[float]) -> list[float]:
    damping, found = Damping(), []
    for now in falls:
        damping = damping.on_fall(now, FIRST_HOLD_S)
        found.append(damping.hold_s)
    return found


def test_each_hold_is_twice_as_long_as_the_last_up_to_a_limit() -> None:
    found = holds([float(now) for now in range(20)])
    assert found[: TOLERATED_FALLS + 4] == [0.0] * TOLERATED_FALLS + [10.0, 20.0, 40.0, 80.0]
    assert found[-1] == LONGEST * FIRST_HOLD_S


def test_old_falls_are_forgotten() -> None:
    assert holds([0.0, 1.0, REMEMBERED_S + 2.0, REMEMBERED_S + 3.0]) == [0.0] * 4


def test_who_falls_for_ever_is_remembered_in_bounded_room() -> None:
    damping = Damping()
    for now in range(10_000):
        damping = damping.on_fall(now / 100, FIRST_HOLD_S)
    assert len(damping.falls) < 50
