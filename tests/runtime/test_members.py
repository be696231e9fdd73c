"""What members of pools do, as switches and the journal get to know it."""

import pytest

from common.wire.health import HealthReport
from controller.runtime.commands.members import ReportMember
from tests.world import DEMO, FakeChannel, World

REGROUPED = "0 flows put, 0 deleted; groups: 0 new, 1 changed, 0 deleted"


@pytest.fixture
def channel(world: World) -> FakeChannel:
    channel = world.connect()
    world.settle(channel)
    channel.asked.clear()
    return channel


def say(world: World, channel: FakeChannel, *reports: bool, member: str = "proxy1") -> None:
    for is_good in reports:
        world.handle(ReportMember(member, HealthReport(is_good, "" if is_good else "refused")))
        world.settle(channel)


def live(world: World, channel: FakeChannel, seconds: float) -> None:
    """Let time pass, with everybody reporting that he is well."""
    for _ in range(int(seconds * 2)):
        for member in world.core.roster.members:
            world.handle(ReportMember(member.path, HealthReport(True)))
        world.tick(0.5)
        world.settle(channel)


def test_reports_that_say_what_is_known_send_nothing(world: World, channel: FakeChannel) -> None:
    live(world, channel, 5)
    assert channel.asked == []


def test_a_member_that_falls_is_taken_out_with_its_second_bad_report(
    world: World, channel: FakeChannel
) -> None:
    say(world, channel, False)
    assert channel.asked == []
    say(world, channel, False)
    assert channel.asked == [REGROUPED]
    (event,) = world.events("MemberChanged")
    assert (event["member"], event["state"], event["detail"]) == ("proxy1", "down", "refused")


def test_a_slow_start_takes_five_plans_and_no_more(world: World, channel: FakeChannel) -> None:
    say(world, channel, False, False, True, True)
    channel.asked.clear()
    live(world, channel, 60)
    assert channel.asked == [REGROUPED] * 4  # the first step came with the second good report


def test_a_member_that_is_held_down_is_an_event_that_says_for_how_long(
    world: World, channel: FakeChannel
) -> None:
    for _ in range(4):
        say(world, channel, False, False, True, True)
    assert [event["seconds"] for event in world.events("MemberHeldDown")] == [10.0, 20.0]
    assert "went down 3 times in 10 min" in world.events("MemberHeldDown")[0]["reason"]
    assert world.events("MemberChanged")[-1]["state"] == "held"


def test_a_pool_that_stays_empty_is_an_event_once(world: World, channel: FakeChannel) -> None:
    say(world, channel, False, False, member="proxy1")
    say(world, channel, False, False, member="proxy2")
    say(world, channel, False, False, member="scanner1")
    assert [event["pool"] for event in world.events("PoolBecameEmpty")] == ["proxies"]


def test_a_pool_that_empties_again_is_an_event_again(world: World, channel: FakeChannel) -> None:
    for member in ("proxy1", "proxy2"):
        say(world, channel, False, False, member=member)
    say(world, channel, True, True, False, False)
    assert [event["pool"] for event in world.events("PoolBecameEmpty")] == ["proxies"] * 2


def test_an_edit_in_the_midst_of_a_slow_start_keeps_its_shares(world: World, channel: FakeChannel) -> None:
    say(world, channel, False, False, True, True)
    before = dict(channel.switch.tables.groups)
    world.apply(DEMO.replace("ports: [80]", "ports: [8080]"))
    world.settle(channel)
    assert channel.switch.tables.groups == before
