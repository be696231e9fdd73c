"""What others change on switches, from the switch's report to the ledger, the journal and the status."""

import pytest

from controller.drift.ledger import Ending
from controller.drift.model import DriftChange, DriftKind
from controller.openflow import messages
from controller.openflow.messages import GroupCommand
from controller.runtime.commands.drift import EdgeDrift, ReadDrift
from controller.runtime.commands.switches import EdgeStatus, ReadSettled, ReadStatus, Settling
from controller.sync.session import Phase
from controller.sync.state import WireFlow, WireGroup, WireKey
from controller.sync.watch import Monitoring
from tests.fake_switch import FakeSwitch, Monitors
from tests.runtime.test_runtime import LESS_WEB, connected
from tests.world import DEMO, FakeChannel, World

NORMAL = bytes.fromhex("0004001800000000" + "00000010fffffffa0000000000000000")
FOREIGN = messages.add_flow(0, WireFlow(WireKey(0, 60_000, b""), 0, NORMAL, b""))
REPORT = DEMO.replace("\ntenants:", "\ndrift: report\ntenants:")


def by_hand(world: World, channel: FakeChannel, *requests: bytes) -> None:
    world.report(channel, channel.switch.change(*requests))


def drift(world: World) -> EdgeDrift:
    found = world.handle(ReadDrift())
    assert found is not None
    return found


def status(world: World) -> EdgeStatus:
    found = world.handle(ReadStatus())
    assert found is not None
    return found


def test_a_foreign_flow_is_in_the_journal_before_and_after_its_repair(world: World) -> None:
    channel = connected(world)
    by_hand(world, channel, FOREIGN)
    assert world.events("DriftFound") == [
        {
            "switch": "s1",
            "count": 1,
            "difference": "foreign flow: admission 60000 anything -> NORMAL",
            "rule": "",
            "place": "",
        }
    ]
    (switch,) = drift(world).switches
    assert switch.open_count == 1
    assert world.events("DriftRepaired") == []
    world.settle(channel)
    (repaired,) = world.events("DriftRepaired")
    assert repaired["count"] == 1
    (switch,) = drift(world).switches
    assert (switch.open_count, switch.repairs) == (0, 1)
    assert switch.ended[0].record.ending is Ending.REPAIRED


def test_a_repair_has_no_line_about_a_plan(world: World) -> None:
    channel = connected(world)
    before = len(world.events("PlanSent"))
    by_hand(world, channel, FOREIGN)
    world.settle(channel)
    assert len(world.events("PlanSent")) == before


def test_a_missing_flow_is_told_with_its_rule_and_the_place_in_the_policy(world: World) -> None:
    channel = connected(world)
    world.report(channel, channel.switch.delete_all_flows())
    (switch,) = drift(world).switches
    missing = [row for row in switch.open if row.record.difference.rule.startswith("tenants.acme")]
    assert missing
    assert all(row.record.difference.change is DriftChange.MISSING for row in missing)
    assert all(row.place.startswith("demo.yaml:") for row in missing)
    assert {row.place for row in switch.open if row.record.difference.rule == "policy"} <= {
        "the edge itself (every policy needs this flow)"
    }


def test_a_changed_group_says_what_is_there_and_what_should_be(world: World) -> None:
    world = World()
    world.start(text=REPORT)
    channel = connected(world)
    group_id, (kind, _) = next(iter(channel.switch.tables.groups.items()))
    empty = WireGroup(group_id, kind, b"")
    by_hand(world, channel, messages.put_group(0, GroupCommand.MODIFY, empty))
    world.settle(channel)
    (switch,) = drift(world).switches
    (row,) = switch.open
    difference = row.record.difference
    assert (difference.kind, difference.change) == (DriftKind.GROUP, DriftChange.CHANGED)
    assert difference.text.endswith("empty")
    assert difference.wanted.startswith(f"group {group_id} (")
    assert difference.rule.startswith("pools.")


def test_with_report_status_is_not_confirmed_and_names_the_command(world: World) -> None:
    world.apply(REPORT)
    channel = connected(world)
    by_hand(world, channel, FOREIGN)
    world.settle(channel)
    (switch,) = status(world).switches
    assert not switch.is_confirmed
    assert switch.phase == Phase.DRIFTED.value
    assert switch.problems == ("one difference from what it should hold; see: postern drift",)
    assert world.handle(ReadSettled()) is Settling.PARTLY
    world.apply(REPORT)
    world.settle(channel)
    (switch,) = status(world).switches
    assert switch.is_confirmed
    assert world.handle(ReadSettled()) is Settling.CONFIRMED


def test_status_is_not_confirmed_while_a_plan_is_on_its_way(world: World) -> None:
    channel = connected(world)
    assert status(world).switches[0].is_confirmed
    world.apply(LESS_WEB)
    assert not status(world).switches[0].is_confirmed
    world.settle(channel)
    assert status(world).switches[0].is_confirmed


@pytest.mark.parametrize("monitors", [Monitors.REFUSED, Monitors.IGNORED])
def test_a_switch_without_a_monitor_is_said_to_be_read_and_is_repaired(
    world: World, monitors: Monitors
) -> None:
    channel = connected(world, FakeSwitch(monitors=monitors))
    (event,) = world.events("SwitchNotMonitored")
    assert event["seconds"] == 2
    assert status(world).switches[0].watched == "not monitored: read every 2 s, last 0 s ago"
    channel.switch.change(FOREIGN)
    for _ in range(6):
        world.tick(0.5)
        world.settle(channel)
    assert status(world).switches[0].is_confirmed
    (repaired,) = world.events("DriftRepaired")
    assert repaired["difference"].endswith("NORMAL")
    assert len(world.events("SwitchNotMonitored")) == 1
    assert len(world.events("SwitchRead")) == 1


def unknown(world: World) -> str:
    (switch,) = drift(world).switches
    problems = status(world).switches[0].problems
    assert (switch.unknown in problems) is bool(switch.unknown)
    assert not (switch.unknown and status(world).switches[0].is_confirmed)
    return switch.unknown


def freeze(world: World, seconds: float) -> None:
    """Let time pass without a reply from the switch."""
    for _ in range(round(seconds / 0.5)):
        world.tick(0.5)


def test_a_switch_that_does_not_answer_is_not_confirmed_after_two_seconds(world: World) -> None:
    channel = connected(world)
    freeze(world, 1.5)
    assert unknown(world) == ""
    freeze(world, 1.0)
    assert unknown(world).startswith("no answer for 2 s: what it holds is not known; remedy: ")
    assert world.events("SwitchFellSilent") == [{"switch": "s1"}]
    freeze(world, 10.0)
    assert unknown(world).startswith("no answer for 12 s: ")
    assert world.core.proofs.missing(world.now) == ("s1: no answer for 12 s",)
    assert len(world.events("SwitchFellSilent")) == 1
    world.settle(channel)
    assert unknown(world) == ""
    assert status(world).switches[0].is_confirmed
    world.tick(0.5)
    assert world.events("SwitchAnswered") == [{"switch": "s1"}]
    assert world.events("SwitchDisconnected") == []


def test_a_switch_that_is_read_again_after_a_long_silence_is_still_silent(world: World) -> None:
    connected(world)
    freeze(world, 20.0)
    assert status(world).switches[0].phase == "reading"
    assert unknown(world).startswith("no answer for 20 s: ")


def test_a_switch_that_sends_one_part_of_its_answer_after_the_other_is_not_silent(world: World) -> None:
    channel = connected(world)
    for _ in range(20):
        world.tick(0.5)
        channel.received += 1
        assert unknown(world) == ""


def test_a_controller_that_was_busy_for_seconds_does_not_call_its_switch_silent(world: World) -> None:
    channel = connected(world)
    world.tick(0.5)
    world.tick(9.0)
    assert unknown(world) == ""
    assert status(world).switches[0].is_confirmed
    world.settle(channel)
    assert world.events("SwitchFellSilent") == []


def test_a_switch_that_takes_up_a_plan_for_some_seconds_is_not_silent(world: World) -> None:
    channel = connected(world)
    world.apply(LESS_WEB)
    freeze(world, 4.5)
    assert unknown(world) == ""
    assert not status(world).switches[0].is_confirmed
    freeze(world, 1.5)
    assert unknown(world).startswith("no answer for 6 s")
    world.settle(channel)
    assert unknown(world) == ""


def test_a_silent_switch_is_not_waited_for_when_receipts_are_wanted(world: World) -> None:
    channel = connected(world)
    freeze(world, 3.0)
    before = len(channel.looked_up)
    number = world.core.switches.look_up([(1, 1)])
    found = world.core.switches.look_ups.take(number, is_last=False)
    assert found is not None
    assert found["s1"].failure == "no answer for 2 s"
    assert len(channel.looked_up) == before


def test_a_switch_without_a_monitor_is_not_confirmed_while_its_last_reading_is_too_old(world: World) -> None:
    channel = connected(world, FakeSwitch(monitors=Monitors.REFUSED))
    for _ in range(20):
        world.tick(0.5)
        world.settle(channel)
        assert status(world).switches[0].is_confirmed
    assert status(world).switches[0].watched.startswith("not monitored: read every 2 s, last ")
    world.tick(9.0)
    assert not status(world).switches[0].is_confirmed
    assert unknown(world).startswith("last read 9 s ago instead of every 2 s")
    world.settle(channel)
    assert unknown(world) == ""


def test_a_switch_that_is_away_is_neither_monitored_nor_known(world: World) -> None:
    channel = connected(world)
    freeze(world, 3.0)
    world.disconnect(1, channel)
    (switch,) = drift(world).switches
    assert switch.watched == "not connected"
    record = world.core.switches.records[1]
    assert (record.session.watch.monitoring, record.silence) == (Monitoring.OFF, "")
    assert switch.unknown.startswith("not connected: what it holds is not known; remedy: ")


def test_a_switch_that_is_not_read_yet_is_not_known(world: World) -> None:
    channel = world.connect()
    (switch,) = drift(world).switches
    assert switch.unknown.startswith("connected, but not read yet")
    world.settle(channel)
    assert unknown(world) == ""


def test_a_switch_that_is_not_in_the_policy_is_neither_watched_nor_read(world: World) -> None:
    channel = world.connect(dpid=99)
    world.tick(5.0)
    assert channel.due == []


def test_a_switch_that_leaves_the_policy_takes_its_differences_along(world: World) -> None:
    two = REPORT.replace("switches:\n", "links: [{a: s1:30, b: s2:30}]\nswitches:\n  s2: {dpid: 2}\n")
    world.apply(two)
    channel = world.connect(dpid=2)
    world.settle(channel, dpid=2)
    world.report(channel, channel.switch.change(FOREIGN), dpid=2)
    assert [each.open_count for each in drift(world).switches] == [0, 1]
    world.apply(REPORT)
    assert [each.switch for each in drift(world).switches] == ["s1"]
    assert world.core.drift.ledger.count_open("s2") == 0


def test_a_difference_stays_open_while_its_switch_is_away(world: World) -> None:
    world.apply(REPORT)
    channel = connected(world)
    by_hand(world, channel, FOREIGN)
    world.settle(channel)
    world.disconnect(1, channel)
    world.tick(1.0)
    assert drift(world).switches[0].open_count == 1


def test_twenty_thousand_foreign_flows_have_few_words_and_one_repair(world: World) -> None:
    channel = connected(world)
    many = [
        messages.add_flow(0, WireFlow(WireKey(0, 1 + number, b""), 0, NORMAL, b""))
        for number in range(20_000)
    ]
    before = len(world.journal_text)
    tables = channel.switch.tables
    held = dict(tables.flows)
    for each in many:
        tables.carry_out(each)
    world.report(channel, channel.switch._updates(held, 0))
    world.tick(0.5)
    (switch,) = drift(world).switches
    assert switch.open_count == 20_000
    assert len(switch.open) == 1_000
    for _ in range(4):
        world.settle(channel)
        world.tick(0.5)
    assert len(world.journal_text) - before < 10_000
    assert status(world).switches[0].is_confirmed
    assert channel.switch.tables.flows.keys() == held.keys()
