"""What an operator sees of members whose agents do not report, and of trunks that no probe crosses."""

import pytest

from common.wire.health import HealthReport
from controller.policy.model import PortRef
from controller.pools.members import MemberState
from controller.runtime.commands.members import DrainMember, ReportMember
from controller.runtime.commands.switches import EdgeStatus, ReadStatus
from controller.runtime.events import ProbeHeard
from tests.fake_switch import FakeSwitch
from tests.world import DEMO, POLICIES, World

RING = (POLICIES / "ring.yaml").read_text(encoding="utf-8")
PROBED = {"proxy1", "proxy2", "scanner1", "scanner2", "responder1", "av1", "av2"}


@pytest.fixture
def world() -> World:
    world = World()
    world.start()
    world.settle(world.connect())
    return world


def status(world: World) -> EdgeStatus:
    found = world.handle(ReadStatus())
    assert found is not None
    return found


def unheard(world: World) -> dict[str, float]:
    return {each.name: each.seconds for each in status(world).unheard}


def report(world: World, *members: str) -> None:
    for member in members:
        world.handle(ReportMember(member, HealthReport(True)))


def test_before_a_report_is_due_nobody_is_called_unheard(world: World) -> None:
    world.tick(2.9)
    assert unheard(world) == {}


def test_without_any_agent_all_members_are_unheard_and_still_used(world: World) -> None:
    """Members without health checks are not among them: no agent is expected there."""
    world.tick(5.0)
    assert unheard(world) == dict.fromkeys(PROBED, 5.0)
    assert all(each.takes for each in status(world).unheard)
    assert world.core.roster.resting == frozenset()


def test_a_report_ends_it(world: World) -> None:
    world.tick(5.0)
    report(world, *PROBED)
    assert unheard(world) == {}
    world.tick(4.0)
    assert unheard(world) == dict.fromkeys(PROBED, 4.0)


def test_one_silent_member_is_unheard_taken_out_and_shown_as_both(world: World) -> None:
    world.tick(2.0)
    report(world, *PROBED - {"proxy1"})
    world.tick(2.0)
    (silent,) = status(world).unheard
    assert (silent.name, silent.seconds, silent.takes) == ("proxy1", 4.0, False)
    assert world.core.roster.find("proxy1").state is MemberState.DOWN


def test_what_is_silent_counts_from_the_policys_own_time(world: World) -> None:
    world.apply(DEMO.replace("health: agent", "health: {silence: 60s}", 1))  # of the proxies
    world.tick(30.0)
    assert set(unheard(world)) == PROBED - {"proxy1", "proxy2"}


def test_a_new_member_is_awaited_from_when_it_joined(world: World) -> None:
    world.tick(100.0)
    report(world, *PROBED)
    third = '      proxy3: {at: s1:12, mac: 02:cc:00:00:00:03, addresses: [192.0.2.13, "2001:db8:e::13"]}\n'
    world.apply(DEMO.replace("      proxy2:", f"{third}      proxy2:"))
    world.tick(2.0)
    report(world, *PROBED)
    assert unheard(world) == {}
    world.tick(2.0)
    assert unheard(world) == {"proxy3": 4.0}


def test_a_drained_member_whose_agent_was_stopped_is_no_problem_of_the_edge(world: World) -> None:
    world.handle(DrainMember("proxy1", True))
    world.tick(60.0)
    assert "proxy1" not in unheard(world)
    assert world.core.roster.find("proxy1").unheard_s(world.now) == 60.0


def test_the_journal_says_once_when_it_begins_and_when_it_ends(world: World) -> None:
    for _ in range(10):
        world.tick(1.0)
    assert len(world.events("MemberUnheard")) == len(PROBED)
    report(world, "proxy1")
    world.tick(0.5)
    assert world.events("MemberHeardAgain") == [{"pool": "proxies", "member": "proxy1"}]


def test_a_remembered_state_is_unheard_until_its_agent_reports_to_the_new_controller(world: World) -> None:
    for _ in range(2):
        world.handle(ReportMember("proxy1", HealthReport(False, "refused")))
    new = World(world.store)
    new.start()
    new.tick(4.0)
    assert "proxy1" in unheard(new)
    assert new.core.roster.find("proxy1").detail == "refused"


def test_trunks_that_no_probe_has_crossed_are_called_unchecked_and_stay_in_use() -> None:
    ring = World()
    ring.start("ring.yaml", RING)
    channels = {dpid: ring.connect(dpid, FakeSwitch(ports=12)) for dpid in (1, 2, 3, 4)}
    for dpid, channel in [*channels.items()] * 2:
        ring.settle(channel, dpid)
    for _ in range(8):
        ring.tick(1.0)
    (line,) = status(ring).cabling
    assert line.startswith(
        "no probe has arrived from any trunk for 7 s, so none of them is checked; remedy: "
    )
    assert ring.core.trunks.broken == set()
    ring.on(ProbeHeard(2, channels[2], 12, PortRef("s1", 11)))
    assert not any(line.startswith("no probe") for line in status(ring).cabling)
