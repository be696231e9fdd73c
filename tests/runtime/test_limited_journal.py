"""Lines that a switch causes again and again: a few per minute, and how many were left out."""

from tests.runtime.test_runtime import connected
from tests.world import World

FEW = 5


def test_a_switch_that_falls_silent_all_the_time_has_a_few_lines_per_minute(world: World) -> None:
    """It says something now and then, and never answers what it was asked."""
    channel = connected(world)
    for _ in range(9):
        for _ in range(11):
            world.tick(0.5)
        channel.received += 1
        world.tick(0.5)
    silent, answered = world.events("SwitchFellSilent"), world.events("SwitchAnswered")
    assert (len(silent), len(answered)) == (FEW, FEW)
    world.tick(60.0)
    left_out = world.events("ManySwitchEvents")
    assert [each["events"] for each in left_out] == ["SwitchFellSilent", "SwitchAnswered"]
    assert all(each["count"] >= 3 for each in left_out)


def test_a_port_that_flaps_has_a_hundred_lines_per_minute_and_is_up_afterwards(world: World) -> None:
    channel = connected(world)
    for _ in range(150):
        world.report(channel, [channel.switch.set_port(4, 1), channel.switch.set_port(4, 0)])
    assert len(world.events("PortWentDown")) == 100
    assert len(world.events("PortCameUp")) == 100
    world.tick(60.0)
    assert [each["count"] for each in world.events("ManySwitchEvents")] == [50, 50]
    assert not world.core.switches.records[1].ports[4].is_down


def test_after_a_minute_lines_are_written_again_and_nothing_was_left_out(world: World) -> None:
    channel = connected(world)
    for _ in range(FEW + 1):
        world.tick(55.0)
        world.settle(channel)
        world.report(channel, [channel.switch.set_port(4, 1), channel.switch.set_port(4, 0)])
    assert len(world.events("PortWentDown")) == FEW + 1
    assert world.events("ManySwitchEvents") == []
