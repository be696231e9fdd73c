"""A member that comes up gets a growing share, while somebody warm carries the rest."""

import pytest

from common.wire.health import HealthReport
from controller.policy.parse import parse_policy
from controller.pools.health import trusted
from controller.pools.roster import Roster
from tests.world import DEMO

PROXY1, PROXY2 = "pools.proxies.members.proxy1", "pools.proxies.members.proxy2"
EVERYBODY = (PROXY1, PROXY2, "pools.scanners.members.scanner1", "pools.scanners.members.scanner2")
SLOW_START_S = 10.0


def started(text: str = DEMO) -> Roster:
    """The demo's pools as a controller that starts now sees them: all have been up for long."""
    roster = Roster()
    roster.on_policy(parse_policy(text, "p.yaml"), (), newcomer=trusted(0.0))
    return roster


@pytest.fixture
def roster() -> Roster:
    return started()


def falls(roster: Roster, now: float, path: str) -> None:
    for _ in range(2):
        roster.on_report(now, path, HealthReport(False))


def rises(roster: Roster, now: float, path: str) -> None:
    for _ in range(2):
        roster.on_report(now, path, HealthReport(True))


def shares_at(roster: Roster, now: float) -> dict[str, int]:
    """Return the shares at a time until which everybody has been well."""
    for member in roster.members:
        roster.on_report(now, member.path, HealthReport(True))
    roster.on_tick(now)
    return roster.shares


def test_a_share_grows_by_a_fifth_with_each_fifth_of_the_time(roster: Roster) -> None:
    falls(roster, 0.0, PROXY1)
    rises(roster, 0.0, PROXY1)
    found = [shares_at(roster, now) for now in (0.0, 1.9, 2.0, 4.0, 6.0, 8.0)]
    assert found == [{PROXY1: part, PROXY2: 5} for part in (1, 1, 2, 3, 4)] + [{}]


def test_weights_keep_their_ratio_while_one_of_them_grows() -> None:
    weighted = DEMO.replace("mac: 02:cc:00:00:00:01,", "mac: 02:cc:00:00:00:01, weight: 3,")
    roster = started(weighted.replace("mac: 02:cc:00:00:00:02,", "mac: 02:cc:00:00:00:02, weight: 2,"))
    falls(roster, 0.0, PROXY1)
    rises(roster, 0.0, PROXY1)
    assert shares_at(roster, 2.0) == {PROXY1: 6, PROXY2: 10}


def test_another_pool_keeps_its_weights(roster: Roster) -> None:
    falls(roster, 0.0, PROXY1)
    rises(roster, 0.0, PROXY1)
    assert set(roster.shares) == {PROXY1, PROXY2}


def test_everybody_that_starts_with_the_controller_has_been_up_for_long(roster: Roster) -> None:
    assert shares_at(roster, 0.0) == {}


def test_nobody_starts_slowly_when_all_come_back_together(roster: Roster) -> None:
    for path in (PROXY1, PROXY2):
        falls(roster, 0.0, path)
    assert shares_of_proxies(roster) == {PROXY1: 0, PROXY2: 0}
    rises(roster, 1.0, PROXY1)
    rises(roster, 1.5, PROXY2)
    assert shares_at(roster, 2.0) == {}


def shares_of_proxies(roster: Roster) -> dict[str, int]:
    return {path: share for path, share in roster.shares.items() if path in (PROXY1, PROXY2)}


def test_who_came_back_first_is_warm_after_the_time_that_a_slow_start_takes(roster: Roster) -> None:
    for path in (PROXY1, PROXY2):
        falls(roster, 0.0, path)
    rises(roster, 1.0, PROXY1)
    rises(roster, 1.0 + SLOW_START_S, PROXY2)
    assert roster.shares == {PROXY1: 5, PROXY2: 1}


def test_a_new_member_of_the_policy_starts_slowly(roster: Roster) -> None:
    line = "      proxy3: {at: s1:19, mac: 02:cc:00:00:00:03, addresses: [192.0.2.13]}\n"
    policy = parse_policy(DEMO.replace("  scanners:\n    kind", f"{line}  scanners:\n    kind"), "p.yaml")
    roster.on_policy(policy, (), now=20.0)
    assert roster.shares == {"pools.proxies.members.proxy3": 0}
    roster.on_report(21.0, "pools.proxies.members.proxy3", HealthReport(True))
    assert roster.shares == {PROXY1: 5, PROXY2: 5, "pools.proxies.members.proxy3": 1}


def test_a_resumed_member_starts_slowly(roster: Roster) -> None:
    roster.on_drained(0.0, PROXY1, True)
    assert roster.shares == {PROXY1: 0}
    roster.on_drained(1.0, PROXY1, False)
    assert roster.shares == {PROXY1: 1, PROXY2: 5}


def test_a_member_that_falls_while_it_starts_starts_again(roster: Roster) -> None:
    falls(roster, 0.0, PROXY1)
    rises(roster, 0.0, PROXY1)
    assert shares_at(roster, 5.0)[PROXY1] == 3
    falls(roster, 5.1, PROXY1)
    assert roster.shares == {PROXY1: 0}
    rises(roster, 6.0, PROXY1)
    assert roster.shares[PROXY1] == 1


def test_an_edit_of_the_policy_does_not_begin_anybodys_start_anew(roster: Roster) -> None:
    falls(roster, 0.0, PROXY1)
    rises(roster, 0.0, PROXY1)
    roster.on_policy(parse_policy(DEMO, "p.yaml"), (), now=5.0)
    assert roster.shares == {PROXY1: 3, PROXY2: 5}


def test_slow_start_can_be_turned_off() -> None:
    roster = started(DEMO.replace("health: agent", "health: {slow_start: 0s}", 1))
    falls(roster, 0.0, PROXY1)
    rises(roster, 0.0, PROXY1)
    assert roster.shares == {}


def test_the_last_one_standing_that_falls_while_another_starts_leaves_it_the_whole(roster: Roster) -> None:
    falls(roster, 0.0, PROXY1)
    rises(roster, 0.0, PROXY1)
    falls(roster, 1.0, PROXY2)
    # One alone has all new sessions, whatever its weight.
    assert shares_of_proxies(roster) == {PROXY1: 1, PROXY2: 0}
