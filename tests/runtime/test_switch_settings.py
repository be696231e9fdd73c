"""Ports, fragments and eviction that another client has set: named, and put back."""

import re

import pytest

from controller.drift.ledger import Ending
from tests.fake_switch import FakeSwitch
from tests.runtime.test_bridges import BridgeWorld
from tests.runtime.test_drift import REPORT, drift, status
from tests.runtime.test_runtime import connected
from tests.world import DEMO, FakeChannel, MemoryStore, World

NO_RECEIVE, NO_FORWARD, DOWN = 4, 32, 1
DROP, EVICTION = 1, 4
WITHOUT_PROXY2 = re.sub(r" +proxy2: .*\n", "", DEMO)


def differences(world: World) -> list[str]:
    return [str(row.record.difference) for each in drift(world).switches for row in each.open]


def turn(world: World, channel: FakeChannel) -> None:
    """Let time pass until the settings of the switch were read."""
    for _ in range(2):
        world.tick(0.5)
        world.settle(channel)


def test_a_port_that_was_set_by_hand_is_named_at_once_and_put_back(world: World) -> None:
    channel = connected(world)
    world.report(channel, [channel.switch.set_port(4, NO_RECEIVE | NO_FORWARD)])
    assert differences(world) == [
        "changed port: port 4 (p4) is set to no-receive, no-forward, instead of receive, forward"
    ]
    assert not status(world).switches[0].is_confirmed
    (event,) = world.events("DriftFound")
    assert event["rule"] == "pools.proxies.members.proxy1"
    assert event["place"].startswith("demo.yaml:")
    world.settle(channel)
    assert channel.switch.port_config[4] == 0
    assert differences(world) == []
    (switch,) = drift(world).switches
    assert (switch.ended[0].record.ending, switch.repairs) == (Ending.REPAIRED, 1)
    assert status(world).switches[0].is_confirmed


def test_with_report_it_is_only_named_until_the_operator_applies(world: World) -> None:
    world.apply(REPORT)
    channel = connected(world)
    world.report(channel, [channel.switch.set_port(4, NO_FORWARD)])
    channel.switch.fragments = DROP
    turn(world, channel)
    assert len(differences(world)) == 2
    assert channel.switch.port_config[4] == NO_FORWARD
    world.apply(REPORT)
    turn(world, channel)
    assert differences(world) == []
    assert (channel.switch.port_config[4], channel.switch.fragments) == (0, 0)


def test_a_setting_that_is_changed_just_after_another_was_put_back_is_put_back_by_apply_all_the_same(
    world: World,
) -> None:
    """Settings are put back at a pace; an operator need not wait for it."""
    world.apply(REPORT)
    channel = connected(world)
    for number in (4, 5):
        world.report(channel, [channel.switch.set_port(number, NO_FORWARD)])
        world.apply(REPORT)
        world.settle(channel)
    assert channel.switch.port_config == {4: 0, 5: 0}


def test_a_port_that_was_taken_down_is_named_and_not_taken_up(world: World) -> None:
    channel = connected(world)
    world.report(channel, [channel.switch.set_port(4, DOWN)])
    turn(world, channel)
    assert differences(world) == ["changed port: port 4 (p4) was taken down by a command, instead of up"]
    assert channel.switch.port_config[4] == DOWN
    (switch,) = status(world).switches
    assert switch.is_confirmed  # it holds all flows, and the port may be down for maintenance
    assert "one difference from what it should hold; see: postern drift" in switch.problems
    world.report(channel, [channel.switch.set_port(4, 0)])
    assert differences(world) == []


def test_ports_that_come_and_go_are_drift_without_a_database(world: World) -> None:
    channel = connected(world)
    turn(world, channel)
    world.report(channel, [channel.switch.remove_port(4), channel.switch.add_port(77, "spy")])
    assert differences(world) == [
        "foreign port: interface spy is port 77, which the policy does not use",
        "missing port: interface p4 as port 4, for proxy1",
    ]
    world.report(channel, [channel.switch.add_port(4), channel.switch.remove_port(77)])
    assert differences(world) == []


def test_a_switch_that_lacks_a_port_is_confirmed_but_not_well(world: World) -> None:
    """A cable may be plugged in after the policy was applied: `apply` does not wait for it."""
    channel = connected(world)
    world.report(channel, [channel.switch.remove_port(4)])
    turn(world, channel)
    (switch,) = status(world).switches
    assert switch.is_confirmed
    assert "one difference from what it should hold; see: postern drift" in switch.problems


def test_a_switch_with_a_spare_port_is_confirmed_but_not_well(world: World) -> None:
    channel = connected(world)
    world.report(channel, [channel.switch.add_port(77, "spare")])
    turn(world, channel)
    (switch,) = status(world).switches
    assert switch.is_confirmed
    assert "one difference from what it should hold; see: postern drift" in switch.problems


def test_a_switch_is_busy_until_it_is_seen_that_a_setting_was_put_back(world: World) -> None:
    """`apply` waits for a switch that is busy."""
    channel = connected(world)
    channel.switch.fragments = DROP
    busy = []
    for _ in range(8):
        world.tick(0.5)
        busy.append(status(world).switches[0].is_busy and bool(differences(world)))
        world.settle(channel)
    assert any(busy)
    turn(world, channel)
    assert (channel.switch.fragments, status(world).switches[0].is_busy) == (0, False)


def test_a_port_that_leaves_the_policy_is_not_foreign(world: World) -> None:
    channel = connected(world)
    world.apply(WITHOUT_PROXY2)
    turn(world, channel)
    assert differences(world) == []


def test_a_port_that_left_the_policy_before_the_controller_began_is_known_from_the_database() -> None:
    store = MemoryStore()
    store.kept_bridges = BridgeWorld().store.kept_bridges
    world = World(store)
    world.start(text=WITHOUT_PROXY2)
    turn(world, connected(world))
    assert differences(world) == []


def test_a_port_that_goes_while_the_switch_is_read_is_missing_afterwards(world: World) -> None:
    """The list of ports is older than what the switch has reported since."""
    channel = world.connect()
    while len(channel.due) > 1:  # the last one is about flows
        for outcome in channel.exchange():
            world.hear(1, channel, outcome)
    world.report(channel, [channel.switch.remove_port(4)])
    world.settle(channel)
    turn(world, channel)
    assert differences(world) == ["missing port: an interface as port 4, for proxy1"]


@pytest.mark.parametrize("is_known", [True, False])
def test_fragments_and_eviction_are_read_in_turns_and_put_back(world: World, is_known: bool) -> None:
    switch = FakeSwitch()
    channel = connected(world, switch) if is_known else None
    switch.fragments, switch.table_config = DROP, dict.fromkeys(range(254), EVICTION)
    channel = channel or connected(world, switch)
    turn(world, channel)
    assert differences(world) == []
    assert (switch.fragments, switch.miss_send_len) == (0, 128)
    assert set(switch.table_config.values()) == {0}
    (event,) = world.events("DriftFound")
    assert (event["count"], event["difference"]) == (
        2,
        "changed setting: fragments are drop, instead of normal",
    )


def test_a_switch_that_does_not_show_its_settings_is_watched_all_the_same(world: World) -> None:
    switch = FakeSwitch()
    switch.shows_settings = False
    channel = connected(world, switch)
    before = world.core.switches.records[1].session.watch.turn
    turn(world, channel)
    turn(world, channel)
    assert world.core.switches.records[1].session.watch.turn > before + 1
    assert status(world).switches[0].is_confirmed


def test_a_stranger_who_sets_a_port_again_and_again_is_answered_three_times_a_second(world: World) -> None:
    channel = connected(world)
    for _ in range(20):
        world.report(channel, [channel.switch.set_port(4, NO_FORWARD)])
        world.settle(channel)
        world.tick(0.1)
    assert 5 <= drift(world).switches[0].repairs <= 7
    world.tick(1.0)
    world.settle(channel)
    assert differences(world) == []
