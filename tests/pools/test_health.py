"""A member is believed well or ill only after enough reports, and never for silence of everybody."""

from dataclasses import replace
from pathlib import Path

import pytest

from common.wire.health import CheckKind, HealthReport
from controller.policy.model import PoolHealth
from controller.policy.parse import parse_policy, read_policy
from controller.pools.health import Health, Opinion, trusted
from controller.pools.members import MemberState, PoolMember
from controller.pools.roster import Roster

DEMO = Path(__file__).parents[2] / "policies" / "demo.yaml"
SILENCE_S = PoolHealth().silence_s
PROXY1, PROXY2 = "pools.proxies.members.proxy1", "pools.proxies.members.proxy2"


@pytest.fixture
def roster() -> Roster:
    """The demo's pools, as a controller that starts now sees them."""
    roster = Roster()
    roster.on_policy(read_policy(DEMO), (), newcomer=trusted(0.0))
    return roster


def test_one_bad_report_is_an_accident_and_two_are_a_fact(roster: Roster) -> None:
    assert roster.on_report(1.0, PROXY1, HealthReport(False, "refused")) == ()
    (change,) = roster.on_report(1.3, PROXY1, HealthReport(False, "refused"))
    assert (change.before, change.member.state) == (MemberState.UP, MemberState.DOWN)
    assert change.member.health.detail == "refused"
    assert roster.resting == {PROXY1}


def test_a_good_report_in_between_restarts_the_count(roster: Roster) -> None:
    for is_good in (False, True, False, True, False):
        assert roster.on_report(1.0, PROXY1, HealthReport(is_good, "")) == ()
    assert roster.resting == frozenset()


def test_a_member_that_was_down_comes_back_after_two_good_reports(roster: Roster) -> None:
    roster.on_report(1.0, PROXY1, HealthReport(False, ""))
    roster.on_report(1.3, PROXY1, HealthReport(False, ""))
    assert roster.on_report(1.6, PROXY1, HealthReport(True, "")) == ()
    (change,) = roster.on_report(1.9, PROXY1, HealthReport(True, ""))
    assert change.member.state is MemberState.UP
    assert change.member.health.detail == ""


def test_a_new_member_gets_no_traffic_before_its_first_good_report(roster: Roster) -> None:
    text = DEMO.read_text(encoding="utf-8").replace(
        "  scanners:\n    kind",
        "      proxy3: {at: s1:19, mac: 02:cc:00:00:00:03, addresses: [192.0.2.13]}\n  scanners:\n    kind",
    )
    roster.on_policy(parse_policy(text, "p.yaml"), ())
    proxy3 = roster.find("proxy3")
    assert proxy3.state is MemberState.JOINING
    assert roster.resting == {proxy3.path}
    (change,) = roster.on_report(1.0, proxy3.path, HealthReport(True, ""))
    assert (change.before, change.member.state) == (MemberState.JOINING, MemberState.UP)
    assert roster.resting == frozenset()


def test_a_new_member_whose_first_report_is_bad_is_down(roster: Roster) -> None:
    fresh = Roster()
    fresh.on_policy(read_policy(DEMO), ())
    (change,) = fresh.on_report(1.0, PROXY1, HealthReport(False, "refused"))
    assert (change.before, change.member.state) == (MemberState.JOINING, MemberState.DOWN)


def test_a_member_whose_agent_falls_silent_is_down_while_others_are_heard(roster: Roster) -> None:
    roster.on_report(SILENCE_S, PROXY2, HealthReport(True, ""))
    (change,) = roster.on_tick(SILENCE_S + 0.1)
    assert (change.member.path, change.member.state) == (PROXY1, MemberState.DOWN)
    assert "no report for 3 s" in change.member.health.detail


def test_while_no_agent_reports_nothing_changes(roster: Roster) -> None:
    assert roster.on_tick(SILENCE_S + 100) == ()
    assert roster.resting == frozenset()


def test_the_last_one_standing_is_not_dropped_for_silence(roster: Roster) -> None:
    roster.on_report(1.0, PROXY1, HealthReport(False, ""))
    roster.on_report(1.3, PROXY1, HealthReport(False, ""))
    assert roster.on_tick(1.3 + SILENCE_S + 1) == ()
    assert roster.resting == {PROXY1}


def test_without_an_agent_reports_mean_nothing() -> None:
    roster = Roster()
    roster.on_policy(
        parse_policy(DEMO.read_text(encoding="utf-8").replace("    health: agent\n", ""), "p.yaml"), ()
    )
    assert roster.on_report(1.0, PROXY1, HealthReport(False, "")) == ()
    assert roster.on_report(1.3, PROXY1, HealthReport(False, "")) == ()
    assert roster.find("proxy1").state is MemberState.UP


def test_nobody_knows_a_member_that_was_never_heard_of() -> None:
    assert Health().opinion is Opinion.UNKNOWN
    assert not Health().is_silent(1e9, PoolHealth())


def down(roster: Roster, report: HealthReport) -> PoolMember:
    """Return a member after as many bad reports as it takes."""
    roster.on_report(1.0, PROXY1, report)
    (change,) = roster.on_report(1.3, PROXY1, report)
    return change.member


@pytest.mark.parametrize("failed", [(CheckKind.CLAMD,), (CheckKind.HTTP,), (CheckKind.CLAMD, CheckKind.HTTP)])
def test_sessions_stay_while_only_checks_beside_the_gateway_fail(
    roster: Roster, failed: tuple[CheckKind, ...]
) -> None:
    assert not down(roster, HealthReport(False, "smtp: not what decides", failed=failed)).is_gone


@pytest.mark.parametrize("failed", [(CheckKind.SMTP,), (CheckKind.TCP,), (CheckKind.CLAMD, CheckKind.SMTP)])
def test_sessions_of_a_member_whose_gateway_fails_are_lost(
    roster: Roster, failed: tuple[CheckKind, ...]
) -> None:
    assert down(roster, HealthReport(False, "clamd: not what decides", failed=failed)).is_gone


@pytest.mark.parametrize(
    ("detail", "is_gone"),
    [
        ("clamd:192.0.2.21:3310: no answer within 0.8 s", False),
        ("http:192.0.2.21:80: answers GET / with status 503", False),
        ("smtp:192.0.2.21:25: no answer within 0.8 s; clamd:192.0.2.21:3310: refused", True),
        ("clamdlike: refused", True),
        ("", True),
    ],
)
def test_the_first_check_named_by_an_agent_of_the_first_release_decides(
    roster: Roster, detail: str, is_gone: bool
) -> None:
    assert down(roster, HealthReport(False, detail)).is_gone == is_gone


CLAMD_FAILED = HealthReport(False, "clamd: refused", failed=(CheckKind.CLAMD,))


def test_a_scanner_that_falls_silent_before_it_is_down_has_lost_its_sessions(roster: Roster) -> None:
    roster.on_report(1.0, PROXY1, CLAMD_FAILED)
    roster.on_report(SILENCE_S + 1.0, PROXY2, HealthReport(True))
    (change,) = roster.on_tick(SILENCE_S + 1.5)
    assert change.member.is_gone


def test_a_scanner_that_falls_silent_while_it_is_down_loses_the_sessions_that_had_stayed(
    roster: Roster,
) -> None:
    down(roster, CLAMD_FAILED)
    roster.on_report(SILENCE_S + 1.5, PROXY2, HealthReport(True))
    (change,) = roster.on_tick(SILENCE_S + 2.0)
    assert (change.member.path, change.before, change.member.state) == (
        PROXY1,
        MemberState.DOWN,
        MemberState.DOWN,
    )
    assert change.member.is_gone
    assert roster.on_tick(SILENCE_S + 2.5) == ()


def test_a_scanner_whose_gateway_fails_after_its_clamd_loses_the_sessions_that_had_stayed(
    roster: Roster,
) -> None:
    down(roster, CLAMD_FAILED)
    both = HealthReport(False, "smtp: refused", failed=(CheckKind.CLAMD, CheckKind.SMTP))
    (change,) = roster.on_report(1.6, PROXY1, both)
    assert change.member.is_gone
    assert roster.on_report(1.9, PROXY1, both) == ()


def test_a_scanner_that_recovers_keeps_its_sessions_all_the_time(roster: Roster) -> None:
    down(roster, CLAMD_FAILED)
    assert roster.on_report(1.6, PROXY1, HealthReport(True)) == ()
    assert not roster.find("proxy1").is_gone
    (change,) = [each for now in (1.9, 2.2) for each in roster.on_report(now, PROXY1, HealthReport(True))]
    assert (change.member.state, change.member.health.failed) == (MemberState.UP, ())


def test_a_member_without_its_port_has_lost_its_sessions_whatever_failed(roster: Roster) -> None:
    member = down(roster, HealthReport(False, failed=(CheckKind.CLAMD,)))
    assert replace(member, has_port=False).is_gone
