"""Lines that a switch causes again and again: a few per minute, and how many were left out."""

from controller.runtime.events import SwitchConnected
from tests.fake_switch import FakeSwitch
from tests.runtime.test_runtime import connected
from tests.world import FakeChannel, World

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


def flap(world: World, channel: FakeChannel, times: int) -> None:
    for _ in range(times):
        world.report(channel, [channel.switch.set_port(4, 1), channel.switch.set_port(4, 0)])


def test_a_port_that_flaps_has_a_few_lines_per_minute_and_is_up_afterwards(world: World) -> None:
    channel = connected(world)
    flap(world, channel, 150)
    assert (len(world.events("PortWentDown")), len(world.events("PortCameUp"))) == (FEW, FEW)
    world.tick(60.0)
    left_out = [(each["events"], each["count"]) for each in world.events("ManySwitchEvents")]
    assert left_out == [("PortWentDown of port 4", 150 - FEW), ("PortCameUp of port 4", 150 - FEW)]
    assert not world.core.switches.records[1].ports[4].is_down


def test_a_port_that_flaps_hides_no_other_port(world: World) -> None:
    channel = connected(world)
    flap(world, channel, 150)
    world.report(channel, [channel.switch.set_port(3, 1)])
    assert world.events("PortWentDown")[-1]["port"] == 3


def test_strangers_that_connect_again_and_again_have_a_few_lines_together(world: World) -> None:
    for dpid in range(100, 150):
        world.runtime.on(SwitchConnected(dpid, FakeChannel(FakeSwitch())))
    assert len(world.events("UnknownSwitchConnected")) == FEW
    world.tick(60.0)
    (left_out,) = world.events("ManySwitchEvents")
    assert (left_out["switch"], left_out["count"]) == ("(not in the policy)", 50 - FEW)


def test_after_a_minute_lines_are_written_again_and_nothing_was_left_out(world: World) -> None:
    channel = connected(world)
    for _ in range(FEW + 1):
        world.tick(55.0)
        world.settle(channel)
        world.report(channel, [channel.switch.set_port(4, 1), channel.switch.set_port(4, 0)])
    assert len(world.events("PortWentDown")) == FEW + 1
    assert world.events("ManySwitchEvents") == []
