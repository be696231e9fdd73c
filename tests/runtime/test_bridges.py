"""What the runtime does when Open vSwitch's database says that a bridge has changed, or says nothing."""

from dataclasses import replace

import pytest

from controller.drift.bridge_record import BridgeController, BridgeExport, BridgeInterface, BridgeRecord
from controller.drift.model import Difference
from controller.runtime.commands.drift import ReadDrift
from controller.runtime.commands.proofs import ReadProof
from controller.runtime.commands.switches import AcceptBridge, EdgeStatus, ReadStatus
from controller.runtime.events import BridgeRepairEnded, BridgesRead, BridgesUnread
from controller.store import StoreError
from tests.runtime.test_drift import FOREIGN, by_hand
from tests.world import DEMO, FakeChannel, World

OURS = BridgeController("tcp:127.0.0.1:6653", is_own=True, row="c1")
GOOD = BridgeRecord(
    row="b1",
    name="s1",
    dpid=1,
    controllers=(OURS,),
    interfaces=tuple(BridgeInterface(f"p{number}", number) for number in range(1, 12)),
)
STANDALONE = (("fail_mode", "standalone"),)
MIRRORED = replace(GOOD, mirrors=("tap",))
CLEAR = ("s1", ("--", "clear", "Bridge", "b1", "mirrors"))


class BridgeWorld(World):
    """The demo policy, and a switch in step whose bridge is good."""

    def __init__(self, store: object = None, *, is_known: bool = True) -> None:
        super().__init__(store)
        self.start()
        self.channel: FakeChannel = self.connect()
        self.settle(self.channel)
        if is_known:
            self.read(GOOD)

    def read(self, *records: BridgeRecord) -> None:
        self.runtime.on(BridgesRead(records))

    @property
    def differences(self) -> list[Difference]:
        return [each.difference for each in self.core.drift.ledger.open_on("s1")]

    @property
    def status(self) -> EdgeStatus:
        found = self.handle(ReadStatus())
        assert found is not None
        return found

    @property
    def problems(self) -> str:
        """All that makes status red."""
        problems = [problem for switch in self.status.switches for problem in switch.problems]
        assert any("see: postern drift" in each for each in problems) is bool(self.differences)
        return "\n".join([*map(str, self.differences), *problems])

    def end_repair(self, reason: str = "") -> None:
        self.runtime.on(BridgeRepairEnded("s1", reason))


@pytest.fixture
def world() -> BridgeWorld:
    return BridgeWorld()


def test_a_good_bridge_is_remembered_and_nothing_is_wrong(world: BridgeWorld) -> None:
    assert world.store.kept_bridges[1]["row"] == "b1"
    assert (world.differences, world.problems, world.bridges.changes) == ([], "", [])


def test_a_bridge_is_not_judged_before_its_switch_is_in_step() -> None:
    world = World()
    world.start()
    world.runtime.on(BridgesRead((MIRRORED,)))
    assert world.bridges.changes == []
    assert world.store.kept_bridges == {}


def test_status_says_that_a_bridge_is_not_judged_yet() -> None:
    world = World()
    world.start()
    world.connect()
    world.runtime.on(BridgesRead((GOOD,)))
    found = world.handle(ReadStatus())
    assert found is not None
    assert "its switch has not been in step yet" in "".join(found.unwatched)
    (unmet,) = world.handle(ReadProof()).unmet
    assert unmet.startswith("it is not known whether switch s1 behaves as the proof assumes")


def test_a_bridge_that_is_not_judged_because_drift_is_only_reported_makes_status_red() -> None:
    world = BridgeWorld(is_known=False)
    world.apply(f"{DEMO}\ndrift: report\n")
    by_hand(world, world.channel, FOREIGN)
    assert world.core.switches.records[1].session.is_drift_left
    world.runtime.on(BridgesRead((MIRRORED,)))
    problems = [problem for switch in world.status.switches for problem in switch.problems]
    assert any("its switch has not been in step yet; remedy: postern apply" in each for each in problems)


def test_a_database_that_goes_away_during_a_repair_does_not_keep_the_switch_busy_for_ever(
    world: BridgeWorld,
) -> None:
    policy = f"{DEMO}\ndrift: report\n"
    world.apply(policy)
    world.read(MIRRORED)
    world.apply(policy)
    world.apply(policy)
    world.runtime.on(BridgesUnread("gone", is_wanted=True))
    world.end_repair("gone")
    world.tick(10.0)
    assert not world.status.switches[0].is_busy


def test_a_bridge_of_this_machine_that_leads_elsewhere_is_not_taken_for_a_distant_switch() -> None:
    world = BridgeWorld(is_known=False)
    world.read(replace(MIRRORED, controllers=(replace(OURS, is_own=False),)))
    assert world.bridges.changes == []
    (note,) = world.status.unwatched
    assert "s1 are not watched: this machine's Open vSwitch has no such bridge" in note
    assert world.problems == ""


def test_a_change_is_named_at_once_and_its_repair_begins_at_once(world: BridgeWorld) -> None:
    world.read(MIRRORED)
    assert [str(each) for each in world.differences] == ["foreign mirror: tap"]
    assert "foreign mirror: tap" in world.problems
    assert world.bridges.changes == [CLEAR]


@pytest.mark.parametrize("is_told_first", [True, False])
def test_a_repaired_bridge_is_good_again(world: BridgeWorld, is_told_first: bool) -> None:
    """The database's news may come before the command that made them has ended."""
    world.read(MIRRORED)
    if is_told_first:
        world.end_repair()
    world.read(GOOD)
    if not is_told_first:
        world.end_repair()
    assert (world.differences, world.problems) == ([], "")
    (ended,) = world.core.drift.ledger.ended_on("s1")
    assert ended.ending == "repaired"
    assert world.core.drift.ledger.repairs("s1", 0.0) == 1


def test_what_a_stranger_takes_back_himself_was_not_repaired(world: BridgeWorld) -> None:
    foreign = replace(GOOD, interfaces=(*GOOD.interfaces, BridgeInterface("spy", 77)))
    world.read(foreign)
    world.read(GOOD)
    (ended,) = world.core.drift.ledger.ended_on("s1")
    assert ended.ending == "ended by itself"


def test_one_repair_of_a_bridge_runs_at_a_time(world: BridgeWorld) -> None:
    world.read(MIRRORED)
    world.tick(60)
    world.read(replace(MIRRORED, wrong=STANDALONE))
    assert len(world.bridges.changes) == 1


def test_a_stranger_who_changes_a_bridge_all_the_time_gets_one_repair_per_second(world: BridgeWorld) -> None:
    for _ in range(100):
        world.read(MIRRORED)
        world.end_repair()
        world.read(GOOD)
        world.now += 0.1
    assert 9 <= len(world.bridges.changes) <= 12


def test_a_repair_that_fails_is_tried_again_later_and_the_journal_says_why_once(world: BridgeWorld) -> None:
    world.read(MIRRORED)
    for _ in range(3):
        world.end_repair("ovs-vsctl: no")
        world.tick(1)
        assert len(world.bridges.changes) == 1
    for _ in range(3):
        world.tick(6)
        world.end_repair("ovs-vsctl: no")
    assert len(world.bridges.changes) > 1
    assert [each["reason"] for each in world.events("BridgeNotRepaired")] == ["ovs-vsctl: no"]
    drift = world.handle(ReadDrift())
    assert drift is not None
    assert [each.refusal for each in drift.switches] == ["ovs-vsctl: no"]


def test_the_journal_names_what_was_found_and_repaired_with_the_line_of_the_policy(
    world: BridgeWorld,
) -> None:
    world.read(replace(GOOD, interfaces=GOOD.interfaces[:-1]))
    (found,) = world.events("DriftFound")
    assert (found["switch"], found["difference"]) == ("s1", "missing port: interface p11 as port 11")
    assert found["rule"].startswith(("pools.", "tenants."))
    assert found["place"].startswith("demo.yaml:")


def test_a_bridge_is_still_known_when_the_controller_is_started_again(world: BridgeWorld) -> None:
    again = World(world.store)
    again.start()
    again.runtime.on(BridgesRead((replace(GOOD, controllers=()),)))
    (switch, arguments), *_ = again.bridges.changes
    assert switch == "s1"
    assert 'target="tcp:127.0.0.1:6653"' in arguments


def test_a_bridge_follows_its_controller_to_a_new_address(world: BridgeWorld) -> None:
    again = World(world.store)
    again.bridges.own = "tcp:127.0.0.1:6700"
    again.start()
    again.runtime.on(BridgesRead((replace(GOOD, controllers=(replace(OURS, is_own=False),)),)))
    (_, arguments), *_ = again.bridges.changes
    assert 'target="tcp:127.0.0.1:6700"' in arguments
    assert arguments[1:6] == ("remove", "Bridge", "b1", "controller", "c1")


def test_a_remembered_bridge_that_cannot_be_read_is_learned_again(world: BridgeWorld) -> None:
    world.store.kept_bridges[1] = {"row": 7}
    again = BridgeWorld(world.store)
    assert len(again.events("BridgeNotRemembered")) == 1
    assert again.store.kept_bridges[1]["row"] == "b1"


def test_a_full_disk_is_reported_once_and_bridges_are_judged_all_the_same() -> None:
    world = BridgeWorld(is_known=False)
    world.store.failure = "disk full"
    for number in range(3):
        world.read(replace(GOOD, row=f"b{number}"))
    world.read(MIRRORED)
    assert [each["reason"] for each in world.events("BridgeNotRemembered")] == ["disk full"]
    assert world.bridges.changes == [CLEAR]


def test_a_policy_that_says_report_repairs_nothing_until_it_is_applied_again(world: BridgeWorld) -> None:
    policy = f"{DEMO}\ndrift: report\n"
    world.apply(policy)
    world.read(MIRRORED)
    world.tick(60)
    assert world.bridges.changes == []
    assert "foreign mirror: tap" in world.problems
    world.apply(policy)
    assert world.bridges.changes == [CLEAR]


def test_what_is_changed_just_after_a_repair_is_put_back_by_apply_all_the_same(world: BridgeWorld) -> None:
    """Repairs have a pace; what an operator has asked for waits for it, and is not lost."""
    policy = f"{DEMO}\ndrift: report\n"
    world.apply(policy)
    world.read(MIRRORED)
    world.apply(policy)
    world.end_repair()
    world.read(GOOD)
    world.read(replace(GOOD, wrong=STANDALONE))
    world.apply(policy)
    assert len(world.bridges.changes) == 1
    assert world.status.switches[0].is_busy
    world.tick(1.0)
    assert world.bridges.changes[1:] == [("s1", ("--", "set", "Bridge", "b1", "fail_mode=secure"))]
    world.end_repair("ovs-vsctl: no")
    world.tick(60)
    assert len(world.bridges.changes) == 2  # it was asked for once


def test_what_is_wrong_with_a_bridge_at_first_sight_is_not_put_back_by_an_apply_before() -> None:
    """The plan that was applied did not name it."""
    world = BridgeWorld(is_known=False)
    world.apply(f"{DEMO}\ndrift: report\n")
    world.settle(world.channel)
    world.runtime.core.bridges.on_event(0.0, 0.0, BridgesRead((MIRRORED,)))
    world.apply(f"{DEMO}\ndrift: report\n")
    assert (world.bridges.changes, len(world.differences)) == ([], 1)


def test_a_port_that_comes_into_the_policy_is_not_foreign_any_more(world: BridgeWorld) -> None:
    foreign = BridgeInterface("p12", 12)
    world.read(replace(GOOD, interfaces=(*GOOD.interfaces, foreign)))
    assert "interface p12 is port 12, which the policy does not use" in world.problems
    world.report(world.channel, [world.channel.switch.add_port(12, "p12")])
    world.apply(DEMO.replace("{at: s1:11,", "{at: s1:12,"))
    world.settle(world.channel)
    world.tick(0.5)
    assert world.differences == []


def test_a_switch_that_left_the_policy_is_forgotten_with_its_bridge(world: BridgeWorld) -> None:
    world.apply(DEMO.replace("dpid: 1", "dpid: 2"))
    world.tick(0.5)
    assert world.store.kept_bridges == {}
    world.read(MIRRORED)
    assert world.bridges.changes == []


@pytest.mark.parametrize(("is_wanted", "is_red"), [(True, True), (False, False)])
def test_a_database_that_cannot_be_read_makes_status_red_unless_it_is_turned_off(
    world: BridgeWorld, is_wanted: bool, is_red: bool
) -> None:
    world.runtime.on(BridgesUnread("db.sock: Permission denied", is_wanted))
    said = "controllers, fail mode and interfaces of s1 are not watched: db.sock: Permission denied"
    assert (said in world.problems) is is_red
    assert (said in "".join(world.status.unwatched)) is not is_red
    assert len(world.events("BridgesNotWatched")) == is_wanted


def test_a_switch_that_is_not_connected_needs_no_second_problem(world: BridgeWorld) -> None:
    world.runtime.on(BridgesUnread("db.sock: no such file"))
    world.disconnect(1, world.channel)
    assert "not watched" not in world.problems


def test_what_was_wrong_stays_wrong_while_the_database_cannot_be_read(world: BridgeWorld) -> None:
    world.read(MIRRORED)
    world.runtime.on(BridgesUnread("db.sock: no such file"))
    world.tick(60)
    assert "foreign mirror: tap" in world.problems


REPLACED = replace(GOOD, interfaces=(*GOOD.interfaces[:-1], BridgeInterface("new", 11)))


def test_an_operator_accepts_another_device_and_the_journal_says_so(world: BridgeWorld) -> None:
    world.report(world.channel, [world.channel.switch.add_port(11, "new")])
    world.read(REPLACED)
    assert "port 11 is interface new" in world.problems
    assert world.handle(AcceptBridge("s1"))
    assert world.problems == ""
    assert world.store.kept_bridges[1]["interfaces"][-1][0] == "new"
    assert [each["subject"] for each in world.events("ChangeMade")] == ["accept the bridge of s1"]


STANDBY = BridgeController("tcp:192.0.2.9:6653", row="c2")
SFLOW = BridgeExport("sflow", (("targets", '["192.0.2.9:6343"]'),))
SHARED = replace(GOOD, controllers=(OURS, STANDBY), exports=(SFLOW,), managers=("ptcp:6640",))


def test_what_was_foreign_at_first_sight_makes_status_red_until_it_is_accepted() -> None:
    world = BridgeWorld(is_known=False)
    world.read(SHARED)
    assert len(world.differences) == 3
    assert "3 differences from what it should hold" in world.problems
    world.handle(AcceptBridge("s1"))
    assert (world.differences, world.problems, world.bridges.changes) == ([], "", [])
    world.read(replace(SHARED, exports=()))
    world.read(GOOD)
    assert [str(each) for each in world.differences] == ["missing controller: tcp:192.0.2.9:6653"]


def test_a_label_that_an_owner_changes_at_an_accepted_collector_is_remembered(world: BridgeWorld) -> None:
    world.read(replace(GOOD, exports=(SFLOW,)))
    world.handle(AcceptBridge("s1"))
    world.read(replace(GOOD, exports=(replace(SFLOW, labels=(("external_ids", "{owner=noc}"),)),)))
    assert world.differences == []
    assert world.store.kept_bridges[1]["exports"][0][2] == [["external_ids", "{owner=noc}"]]


def test_what_was_foreign_at_first_sight_is_still_so_after_a_restart() -> None:
    world = BridgeWorld(is_known=False)
    world.read(SHARED)
    again = BridgeWorld(world.store, is_known=False)
    again.read(SHARED)
    assert len(again.differences) == 3
    assert again.bridges.changes == []


def test_what_was_foreign_at_first_sight_and_was_removed_by_an_operator_was_not_repaired() -> None:
    world = BridgeWorld(is_known=False)
    world.read(replace(SHARED, wrong=STANDALONE))
    world.end_repair()
    world.read(SHARED)
    world.read(GOOD)
    endings = {each.difference.key: each.ending for each in world.core.drift.ledger.ended_on("s1")}
    assert endings["fail_mode"] == "repaired"
    assert endings["sflow"] == "ended by itself"
    world.tick(1)
    world.read(SHARED)
    ((_, arguments),) = world.bridges.changes[1:]
    assert arguments[:5] == ("--", "clear", "Bridge", "b1", "sflow")


def test_what_nobody_may_have_is_not_accepted(world: BridgeWorld) -> None:
    world.read(replace(MIRRORED, wrong=STANDALONE))
    world.handle(AcceptBridge("s1"))
    assert {str(each) for each in world.differences} == {
        "foreign mirror: tap",
        "changed fail mode: standalone, instead of secure",
    }


def test_a_bridge_that_has_moved_to_another_machine_is_forgotten_when_that_is_accepted(
    world: BridgeWorld,
) -> None:
    world.read()
    assert "missing bridge: s1" in world.problems
    assert world.handle(AcceptBridge("s1"))
    world.tick(0.5)
    assert (world.problems, world.store.kept_bridges) == ("", {})
    world.disconnect(1, world.channel)
    assert not world.handle(AcceptBridge("s1"))


@pytest.mark.parametrize("is_read", [True, False])
def test_a_bridge_that_nobody_knows_cannot_be_accepted(world: BridgeWorld, is_read: bool) -> None:
    world.disconnect(1, world.channel)
    if not is_read:
        world.runtime.on(BridgesUnread("db.sock: no such file"))
    assert not world.handle(AcceptBridge("s9" if is_read else "s1"))
    assert len(world.events("ChangeRefused")) == 1


def test_a_bridge_that_cannot_be_stored_is_not_accepted(world: BridgeWorld) -> None:
    world.read(REPLACED)
    world.store.failure = "disk full"
    with pytest.raises(StoreError):
        world.handle(AcceptBridge("s1"))
    assert "port 11 is interface new" in world.problems


def test_a_port_that_both_openflow_and_the_database_miss_is_one_difference(world: BridgeWorld) -> None:
    world.report(world.channel, [world.channel.switch.remove_port(4)])
    world.read(replace(GOOD, interfaces=tuple(each for each in GOOD.interfaces if each.number != 4)))
    for _ in range(3):
        world.tick(0.5)
        world.settle(world.channel)
    (difference,) = world.differences
    assert difference.wanted == "interface p4 as port 4"
    (event,) = world.events("DriftFound")
    assert event["count"] == 1
