"""What a switch refuses: sent again less and less often, named with a remedy, two lines in the journal."""

import re

from controller.openflow import messages
from controller.sync.state import WireFlow, WireKey
from tests.runtime.test_drift import FOREIGN, NORMAL, REPORT, by_hand, drift, status
from tests.runtime.test_runtime import LESS_WEB, connected
from tests.runtime.test_switch_settings import DROP, NO_FORWARD, differences
from tests.world import FakeChannel, World

ANOTHER = messages.add_flow(0, WireFlow(WireKey(1, 60_000, b""), 0, NORMAL, b""))


def pass_time(world: World, channel: FakeChannel, seconds: float) -> None:
    for _ in range(round(seconds * 2)):
        world.settle(channel)
        world.tick(0.5)
    world.settle(channel)


def refused_repair(world: World, seconds: float = 0.0) -> FakeChannel:
    """Let a switch refuse a repair for some time."""
    channel = connected(world)
    channel.switch.refuses = True
    by_hand(world, channel, FOREIGN)
    pass_time(world, channel, seconds)
    return channel


def refused_reset(world: World, seconds: float = 0.0) -> FakeChannel:
    """Let a switch refuse to forward at a port again, for some time."""
    channel = connected(world)
    channel.switch.refuses_settings = True
    world.report(channel, [channel.switch.set_port(4, NO_FORWARD)])
    pass_time(world, channel, seconds)
    return channel


def refusal(world: World) -> str:
    """Return what `drift` says, which must be in `status`, too."""
    (switch,) = drift(world).switches
    problems = status(world).switches[0].problems
    assert (switch.refusal in problems) is bool(switch.refusal)
    return switch.refusal


def without_message(reason: str) -> str:
    """Each attempt has another number, which is in the message that was refused."""
    return re.sub(r" \(message [0-9a-f]+\)", "", reason)


def lines(world: World, event: str) -> list[str]:
    return [without_message(each["reason"]) for each in world.events(event)]


def test_a_refused_repair_is_named_with_a_remedy_and_has_one_line_at_each_end(world: World) -> None:
    channel = refused_repair(world, 100)
    reason = refusal(world)
    assert reason.startswith("the switch refused: group-mod failed, code 3, it has no room for another group")
    assert without_message(reason).endswith("; remedy: make room, or use a switch that holds more")
    assert lines(world, "PlanRefused") == [without_message(reason)]
    assert (len(world.events("DriftFound")), world.events("RefusalEnded")) == (1, [])
    channel.switch.refuses = False
    pass_time(world, channel, 31)
    assert (refusal(world), differences(world)) == ("", [])
    assert status(world).switches[0].is_confirmed
    assert lines(world, "RefusalEnded") == [without_message(reason)]


def test_a_refused_repair_is_sent_again_less_and_less_often(world: World) -> None:
    channel = refused_repair(world, 1)
    channel.plans.clear()
    pass_time(world, channel, 60)
    assert 3 <= len(channel.plans) <= 6
    channel.plans.clear()
    pass_time(world, channel, 60)
    assert len(channel.plans) == 2


def test_what_a_stranger_adds_while_a_repair_is_refused_makes_it_be_tried_again_soon(world: World) -> None:
    channel = refused_repair(world, 100)
    channel.switch.refuses = False
    by_hand(world, channel, ANOTHER)
    pass_time(world, channel, 2.5)
    assert differences(world) == []


def test_apply_tries_a_refused_repair_at_once(world: World) -> None:
    channel = refused_repair(world, 100)
    channel.switch.refuses = False
    world.apply(LESS_WEB)
    world.settle(channel)
    assert (refusal(world), differences(world)) == ("", [])


def test_a_policy_is_carried_out_although_a_repair_is_refused(world: World) -> None:
    """Both are tried together; if that is refused, the policy is sent alone."""
    channel = refused_repair(world, 100)
    channel.plans.clear()
    world.apply(LESS_WEB)
    channel.switch.refuses = True
    while len(channel.plans) < 2:
        for outcome in channel.exchange():
            world.hear(1, channel, outcome)
    channel.switch.refuses = False
    world.settle(channel)
    assert world.core.switches.records[1].session.carried_out_revision == 2
    assert refusal(world)
    assert world.events("RefusalEnded") == []


def test_groups_are_still_watched_while_a_policy_is_refused(world: World) -> None:
    channel = connected(world)
    channel.switch.refuses = True
    world.apply(LESS_WEB)
    pass_time(world, channel, 20)
    before = world.core.switches.records[1].session.watch.turn
    pass_time(world, channel, 5)
    assert world.core.switches.records[1].session.watch.turn >= before + 5


def test_a_refused_setting_is_named_with_a_remedy_and_has_one_line_at_each_end(world: World) -> None:
    channel = refused_reset(world, 100)
    reason = refusal(world)
    assert reason.startswith("the switch refused: port-mod failed, code 4, this controller may not do that")
    assert "; remedy: let the switch accept changes from this controller" in reason
    assert lines(world, "SwitchSettingsRefused") == [without_message(reason)]
    assert not status(world).switches[0].is_busy
    channel.switch.refuses_settings = False
    pass_time(world, channel, 31)
    assert (refusal(world), differences(world)) == ("", [])
    assert lines(world, "RefusalEnded") == [without_message(reason)]


def test_a_refused_setting_is_sent_again_less_and_less_often(world: World) -> None:
    channel = refused_reset(world)
    pass_time(world, channel, 60)
    assert 4 <= len(channel.resets) <= 6
    pass_time(world, channel, 60)
    assert 6 <= len(channel.resets) <= 8


def test_another_setting_does_not_wait_because_one_is_refused(world: World) -> None:
    channel = refused_reset(world, 60)
    before = len(channel.resets)
    channel.switch.fragments = DROP
    pass_time(world, channel, 1)
    assert len(channel.resets) == before + 1


def test_apply_tries_a_refused_setting_at_once(world: World) -> None:
    channel = refused_reset(world, 60)
    channel.switch.refuses_settings = False
    world.apply(LESS_WEB)
    world.settle(channel)
    assert (refusal(world), differences(world)) == ("", [])


def test_a_setting_that_the_switch_ignores_is_named_and_sent_every_two_seconds(world: World) -> None:
    channel = connected(world)
    channel.switch.ignores_settings = True
    world.report(channel, [channel.switch.set_port(4, NO_FORWARD)])
    pass_time(world, channel, 6)
    assert refusal(world).startswith("what is put back at its ports or settings does not stay: ")
    before = len(channel.resets)
    pass_time(world, channel, 60)
    assert len(channel.resets) <= before + 30
    assert len(world.events("SwitchSettingsRefused")) == 1


def test_with_report_a_refused_setting_is_named_and_not_tried_again(world: World) -> None:
    world.apply(REPORT)
    channel = refused_reset(world)
    world.apply(REPORT)
    pass_time(world, channel, 60)
    assert len(channel.resets) == 1
    assert refusal(world).startswith("the switch refused: port-mod failed")
