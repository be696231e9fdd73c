"""Devices that change places, over OpenFlow alone: named until accepted, also after a restart."""

from dataclasses import replace

import pytest

from controller.drift.bridge_record import BridgeInterface
from controller.runtime.commands.switches import AcceptBridge
from controller.store import StoreError
from tests.fake_switch import FakeSwitch
from tests.runtime.test_bridges import GOOD, REPLACED, BridgeWorld
from tests.runtime.test_drift import status
from tests.runtime.test_runtime import connected
from tests.runtime.test_switch_settings import WITHOUT_PROXY2, differences, turn
from tests.world import DEMO, FakeChannel, MemoryStore, World

SWAPPED = [
    "changed port: interface p4 is port 5, instead of port 4",
    "changed port: interface p5 is port 4, instead of port 5",
]


@pytest.fixture
def channel(world: World) -> FakeChannel:
    """The channel of a switch whose ports are known."""
    channel = connected(world)
    turn(world, channel)
    return channel


def swap(world: World, channel: FakeChannel) -> None:
    """Let the devices at ports 4 and 5 change places."""
    switch = channel.switch
    gone = [switch.remove_port(4), switch.remove_port(5)]
    world.report(channel, [*gone, switch.add_port(4, "p5"), switch.add_port(5, "p4")])


def restarted(store: MemoryStore, switch: FakeSwitch, text: str = DEMO) -> World:
    """A new controller, after its first turn with the same switch."""
    world = World(store)
    world.start(text=text)
    switch.disconnect()
    turn(world, connected(world, switch))
    return world


def test_devices_that_change_places_are_named_and_stay_so(world: World, channel: FakeChannel) -> None:
    swap(world, channel)
    assert differences(world) == SWAPPED
    assert world.events("DriftFound")[-1]["rule"].startswith("pools.proxies.members.proxy")
    turn(world, channel)
    assert differences(world) == SWAPPED
    assert not status(world).switches[0].is_confirmed


def test_devices_that_change_places_just_after_a_switch_was_read_are_named(world: World) -> None:
    channel = connected(world)
    swap(world, channel)
    assert differences(world) == SWAPPED


def test_devices_that_changed_places_while_the_controller_was_away_are_named(
    world: World, channel: FakeChannel
) -> None:
    swap(world, channel)
    assert differences(restarted(world.store, channel.switch)) == SWAPPED


def test_another_device_at_a_port_is_named_with_how_to_accept_it(world: World, channel: FakeChannel) -> None:
    world.report(channel, [channel.switch.remove_port(4), channel.switch.add_port(4, "new")])
    assert differences(world) == ["changed port: port 4 is interface new, instead of interface p4 as port 4"]
    (record,) = world.core.drift.ledger.open_on("s1")
    assert record.difference.remedy == "if this is right: postern drift --accept s1"


def test_an_operator_accepts_devices_without_the_database_and_it_is_remembered(
    world: World, channel: FakeChannel
) -> None:
    swap(world, channel)
    assert world.handle(AcceptBridge("s1"))
    assert differences(world) == []
    world.settle(channel)
    assert status(world).switches[0].is_confirmed
    again = restarted(world.store, channel.switch)
    assert differences(again) == []


def test_devices_that_cannot_be_stored_are_not_accepted(world: World, channel: FakeChannel) -> None:
    swap(world, channel)
    world.store.failure = "disk full"
    with pytest.raises(StoreError):
        world.handle(AcceptBridge("s1"))
    assert differences(world) == SWAPPED


def test_devices_of_a_switch_that_is_away_cannot_be_accepted(world: World, channel: FakeChannel) -> None:
    world.disconnect(1, channel)
    assert not world.handle(AcceptBridge("s1"))
    assert "s1 is not connected" in world.events("ChangeRefused")[0]["refusal"]


def test_what_is_accepted_over_openflow_overrides_what_the_database_said_before_it_was_turned_off() -> None:
    world = BridgeWorld()
    switch = world.channel.switch
    switch.add_port(11, "new")
    world.store.kept_names.clear()  # as a release before this one has left it
    again = restarted(world.store, switch)
    assert differences(again) == [
        "changed port: port 11 is interface new, instead of interface p11 as port 11"
    ]
    again.handle(AcceptBridge("s1"))
    assert differences(again) == []
    assert differences(restarted(world.store, switch)) == []


def test_a_long_name_in_the_database_is_the_one_that_openflow_cuts_off() -> None:
    world = BridgeWorld()
    name = "vxlan-to-datacenter-2"
    world.report(world.channel, [world.channel.switch.add_port(11, name[:15])])
    world.read(replace(GOOD, interfaces=(*GOOD.interfaces[:-1], BridgeInterface(name, 11))))
    world.handle(AcceptBridge("s1"))
    turn(world, world.channel)
    assert world.problems == ""


def test_a_device_that_is_accepted_in_the_database_is_accepted_over_openflow_too() -> None:
    world = BridgeWorld()
    turn(world, world.channel)
    assert world.problems == ""
    world.report(world.channel, [world.channel.switch.add_port(11, "new")])
    world.read(REPLACED)
    turn(world, world.channel)
    assert [each.text for each in world.differences] == ["port 11 is interface new"]
    world.handle(AcceptBridge("s1"))
    turn(world, world.channel)
    assert world.problems == ""


def test_a_port_that_left_the_policy_is_not_foreign_after_a_restart_without_the_database(
    world: World, channel: FakeChannel
) -> None:
    world.apply(WITHOUT_PROXY2)
    turn(world, channel)
    again = restarted(world.store, channel.switch, WITHOUT_PROXY2)
    assert differences(again) == []
    again.core.switches.records[1].ports.pop(5)
    again.tick(0.5)
    again.tick(0.5)
    assert "5" not in again.store.kept_names[1]


def test_names_of_ports_that_cannot_be_read_are_learned_again(world: World, channel: FakeChannel) -> None:
    world.store.kept_names[1] = {"four": "p4"}
    again = restarted(world.store, channel.switch)
    assert len(again.events("BridgeNotRemembered")) == 1
    assert again.store.kept_names[1]["4"] == "p4"


def test_a_full_disk_is_reported_once_and_devices_are_compared_all_the_same(world: World) -> None:
    world.store.failure = "disk full"
    channel = connected(world)
    turn(world, channel)
    assert "disk full" in [each["reason"] for each in world.events("BridgeNotRemembered")]
    swap(world, channel)
    assert differences(world) == SWAPPED


def test_names_of_a_switch_that_left_the_policy_are_forgotten(world: World, channel: FakeChannel) -> None:
    assert 1 in world.store.kept_names
    world.apply(DEMO.replace("dpid: 1", "dpid: 2"))
    world.tick(0.5)
    assert world.store.kept_names == {}


def test_a_foreign_port_in_the_database_leaves_a_switch_confirmed_as_over_openflow() -> None:
    world = BridgeWorld()
    world.read(replace(GOOD, interfaces=(*GOOD.interfaces, BridgeInterface("spy", 77))))
    assert "interface spy is port 77, which the policy does not use" in world.problems
    assert world.status.switches[0].is_confirmed


WITHOUT_NUMBER = replace(GOOD, interfaces=(*GOOD.interfaces[:-1], BridgeInterface("p11", 0)))
TAKEN = replace(WITHOUT_NUMBER, interfaces=(*WITHOUT_NUMBER.interfaces, BridgeInterface("evil", 11)))
EVIL = ["changed port: port 11 is interface evil, instead of interface p11 as port 11"]


def take_port_11(world: BridgeWorld, *, is_database_first: bool) -> None:
    """Give the number of a device that is gone to another one, and let time pass."""
    switch = world.channel.switch
    if is_database_first:
        world.read(TAKEN)
    world.report(world.channel, [switch.remove_port(11), switch.add_port(11, "evil")])
    if not is_database_first:
        world.read(TAKEN)
    turn(world, world.channel)


@pytest.fixture
def both_known() -> BridgeWorld:
    """A switch whose ports are known over OpenFlow and in the database."""
    world = BridgeWorld()
    turn(world, world.channel)
    assert world.problems == ""
    return world


@pytest.mark.parametrize("is_database_first", [True, False])
@pytest.mark.parametrize("is_seen_without", [True, False])
def test_a_device_at_the_number_of_one_that_is_gone_is_named_until_it_is_accepted(
    both_known: BridgeWorld, is_database_first: bool, is_seen_without: bool
) -> None:
    world, switch = both_known, both_known.channel.switch
    if is_seen_without:
        world.report(world.channel, [switch.remove_port(11)])
        world.read(WITHOUT_NUMBER)
        turn(world, world.channel)
        assert differences(world) == ["missing port: interface p11 as port 11, for av2"]
    take_port_11(world, is_database_first=is_database_first)
    assert differences(world) == EVIL
    assert not world.status.switches[0].is_confirmed
    assert world.store.kept_names[1]["11"] == "p11"
    assert world.store.kept_bridges[1]["interfaces"][-1][:2] == ["p11", 11]
    world.handle(AcceptBridge("s1"))
    turn(world, world.channel)
    assert world.problems == ""
    assert world.store.kept_names[1]["11"] == "evil"


@pytest.mark.parametrize("is_database_first", [True, False])
def test_devices_that_come_back_at_each_others_numbers_are_named(
    both_known: BridgeWorld, is_database_first: bool
) -> None:
    world, switch = both_known, both_known.channel.switch
    rest = tuple(each for each in GOOD.interfaces if each.number not in (4, 5))
    gone = (BridgeInterface("p4", 0), BridgeInterface("p5", 0))
    swapped = (BridgeInterface("p4", 5), BridgeInterface("p5", 4))
    world.report(world.channel, [switch.remove_port(4), switch.remove_port(5)])
    world.read(replace(GOOD, interfaces=(*rest, *gone)))
    turn(world, world.channel)
    if is_database_first:
        world.read(replace(GOOD, interfaces=(*rest, *swapped)))
    world.report(world.channel, [switch.add_port(4, "p5"), switch.add_port(5, "p4")])
    if not is_database_first:
        world.read(replace(GOOD, interfaces=(*rest, *swapped)))
    turn(world, world.channel)
    assert [each.partition(",")[0] for each in differences(world)] == [
        each.partition(",")[0] for each in SWAPPED
    ]
    assert not world.status.switches[0].is_confirmed


def test_a_device_is_not_learned_from_a_database_that_is_seen_after_openflow_has_named_another() -> None:
    world = BridgeWorld(is_known=False)
    turn(world, world.channel)
    take_port_11(world, is_database_first=False)
    assert differences(world) == EVIL
    assert not world.status.switches[0].is_confirmed


def test_a_bridge_that_is_accepted_while_a_device_is_gone_still_knows_its_port(
    both_known: BridgeWorld,
) -> None:
    both_known.report(both_known.channel, [both_known.channel.switch.remove_port(11)])
    both_known.read(WITHOUT_NUMBER)
    both_known.handle(AcceptBridge("s1"))
    take_port_11(both_known, is_database_first=True)
    assert differences(both_known) == EVIL
