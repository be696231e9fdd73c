"""What others change on a switch, one situation at a time: when it counts, and when it is put right."""

from dataclasses import replace

from controller.ids import cookie_of
from controller.openflow import messages
from controller.openflow.messages import GroupCommand
from controller.sync.commands import ReadGroups, ReadSwitch
from controller.sync.outcomes import FlowsChanged, FlowUpdate, GroupsRead
from controller.sync.session import REPLY_TIMEOUT_S, Phase, SwitchSession
from controller.sync.state import WireFlow, WireKey, WireLearned, WireMeter, WireState
from controller.sync.strays import MOST_FOREIGN, Strays
from controller.sync.watch import READ_EVERY_S, RESUMED_EVERY_S, Monitoring
from tests.fake_switch import Monitors
from tests.sync.test_stranger import (
    decision_flow,
    foreign_flow,
    group,
    in_step,
    policy_flow,
)

ADD_FOREIGN = messages.add_flow(0, foreign_flow(4))


def added(*flows: WireFlow) -> FlowsChanged:
    return FlowsChanged(tuple(map(FlowUpdate, flows)))


def removed(flow: WireFlow) -> FlowsChanged:
    return FlowsChanged((FlowUpdate(flow, was_removed=True),))


def holding(*flows: WireFlow) -> WireState:
    return WireState({flow.key: flow for flow in flows})


def in_step_with(*flows: WireFlow, repairs_drift: bool = False) -> SwitchSession:
    session = SwitchSession("s1", repairs_drift=repairs_drift)
    session.on_desired(0.0, 1, holding(*flows))
    session.on_connected(0.0)
    session.on_monitor_started(0.0)
    session.on_read(0.0, session.attempt, holding(*flows))
    assert session.is_confirmed
    return session


ONE, TWO = policy_flow(1), policy_flow(2)


def test_a_foreign_flow_is_removed_in_one_plan_that_does_nothing_else() -> None:
    line = in_step()
    line.stranger(ADD_FOREIGN)
    line.hear()
    assert line.session.phase is Phase.SENDING
    assert [flow.key for flow in line.session.last_plan.deleted_flows] == [foreign_flow(4).key]
    assert line.session.last_plan.size == 1
    line.drain()
    assert line.session.is_confirmed
    assert line.session.repairs == 1


def test_a_flow_that_was_replaced_is_put_back_as_it_was() -> None:
    line = in_step()
    line.stranger(messages.add_flow(0, foreign_flow(1)))
    line.hear()
    assert line.session.last_plan.put_flows == (policy_flow(1),)
    line.drain()
    assert line.is_as_wanted()


def test_a_deleted_flow_of_a_decision_comes_back() -> None:
    line = in_step()
    line.stranger(messages.delete_flow(0, decision_flow(1)))
    line.drain()
    assert line.is_as_wanted()
    assert line.session.repairs == 1


def test_a_change_while_the_switch_is_read_counts_after_the_reading() -> None:
    """A switch may begin to reply with its flows before a change, and end after it."""
    session = SwitchSession("s1", repairs_drift=False)
    session.on_desired(0.0, 1, holding(ONE, TWO))
    session.on_connected(0.0)
    session.on_monitor_started(0.0)
    session.on_flows_changed(0.0, removed(ONE))
    session.on_flows_changed(0.0, added(foreign_flow(4)))
    session.on_read(0.0, session.attempt, holding(ONE, TWO))
    assert list(session.strays.missing) == [ONE.key]
    assert list(session.strays.flows) == [foreign_flow(4).key]
    assert not session.is_confirmed


def test_a_change_just_after_our_own_took_effect_is_not_taken_for_part_of_it() -> None:
    session = in_step_with(ONE)
    session.on_desired(1.0, 2, holding(ONE, TWO))
    session.on_committed(session.attempt)
    session.on_flows_changed(1.0, removed(TWO))
    session.on_confirmed(1.0, session.attempt)
    assert list(session.strays.missing) == [TWO.key]
    assert session.phase is Phase.DRIFTED


def test_a_change_just_before_our_own_took_effect_is_overridden_by_it() -> None:
    session = in_step_with(ONE)
    session.on_desired(1.0, 2, holding(ONE, TWO))
    session.on_flows_changed(1.0, added(foreign_flow(2)))
    assert session.strays.count == 1
    session.on_committed(session.attempt)
    session.on_confirmed(1.0, session.attempt)
    assert session.strays.count == 0
    assert session.is_confirmed


def test_a_session_is_not_confirmed_while_a_plan_is_on_its_way() -> None:
    session = in_step_with(ONE)
    session.on_desired(1.0, 2, holding(ONE, TWO))
    assert not session.is_confirmed
    session.on_committed(session.attempt)
    assert not session.is_confirmed
    session.on_confirmed(1.0, session.attempt)
    assert session.is_confirmed


def test_what_a_flow_of_ours_has_learned_is_no_drift_whether_it_comes_or_goes() -> None:
    learned = WireFlow(WireKey(12, 5, b""), cookie_of("pools.p"), b"learned", b"", expires=60 << 16)
    kinds = frozenset({WireLearned(12, cookie_of("pools.p"), b"learned", 5, 60 << 16)})
    session = SwitchSession("s1", repairs_drift=False)
    session.on_desired(0.0, 1, WireState({ONE.key: ONE}, learned=kinds))
    session.on_connected(0.0)
    session.on_monitor_started(0.0)
    session.on_read(0.0, session.attempt, holding(ONE, learned))
    assert session.is_confirmed
    for change in (added(learned), removed(learned), added(learned)):
        session.on_flows_changed(1.0, change)
        assert session.is_confirmed
    stays = replace(learned, expires=0)
    session.on_flows_changed(1.0, added(stays))
    assert list(session.strays.flows.values()) == [stays]  # the switch never learns a flow like this


def test_groups_deleted_by_hand_are_read_before_their_flows_are_put_back() -> None:
    line = in_step()
    line.stranger(messages.delete_group(0, 1))
    line.settle(4)
    assert line.is_as_wanted()
    assert line.session.last_error == ""
    assert line.sent_plans == 3  # the policy, the decision, one repair


def test_a_group_and_a_meter_changed_by_hand_are_put_right_although_nobody_reports_what_they_are() -> None:
    line = in_step()
    line.stranger(messages.put_group(0, GroupCommand.MODIFY, group(1, 9)))
    line.settle(2)
    assert line.is_as_wanted()
    changed = next(iter(line.session.overlay.meters.values()))
    line.switch.tables.meters[changed.meter_id] = changed.body[:-1] + b"\1"  # without any hint
    line.settle(3)
    assert line.is_as_wanted()


def test_somebody_who_fights_with_us_gets_a_bounded_number_of_repairs_and_the_last_word_is_ours() -> None:
    line = in_step()
    before = line.session.repairs
    for _ in range(100):  # ten seconds
        line.stranger(ADD_FOREIGN)
        line.drain()
        line.tick(0.1)
    assert 20 <= line.session.repairs - before <= 35
    line.settle(4)
    assert line.is_as_wanted()
    assert line.session.is_confirmed


def test_a_repair_that_is_refused_is_tried_again_at_once_with_the_groups_as_they_are() -> None:
    line = in_step()
    line.stranger(messages.delete_flow(0, policy_flow(1)))
    line.hear()  # the repair is on its way
    line.switch.tables.groups.clear()  # so that its flow has no group, and nobody says so
    line.drain()
    assert line.is_as_wanted()
    assert line.session.is_confirmed
    assert line.now < 5


def test_with_report_a_difference_stays_until_the_operator_repairs() -> None:
    line = in_step(repairs_drift=False)
    sent = line.sent_plans
    line.stranger(ADD_FOREIGN)
    line.settle(10)
    assert (line.session.phase, line.sent_plans) == (Phase.DRIFTED, sent)
    line.carry_out(line.session.on_repair(line.now))
    line.drain()
    assert line.is_as_wanted()
    line.stranger(ADD_FOREIGN)
    line.settle(10)
    assert line.session.phase is Phase.DRIFTED  # one order repairs once


def test_with_report_a_policy_is_carried_out_beside_the_difference_and_confirmed_only_without_it() -> None:
    line = in_step(repairs_drift=False)
    line.stranger(ADD_FOREIGN)
    line.drain()
    line.want({1, 2, 3, 5})
    line.drain()
    assert (line.session.carried_out_revision, line.session.confirmed_revision) == (2, 1)
    assert line.held().keys() - line.wanted().keys() == {foreign_flow(4).key}
    assert line.session.phase is Phase.DRIFTED
    line.carry_out(line.session.on_repair(line.now))
    assert line.session.confirmed_revision == 1
    line.drain()
    assert (line.session.phase, line.session.confirmed_revision) == (Phase.IN_STEP, 2)


def test_a_revision_is_not_confirmed_while_groups_may_be_different() -> None:
    line = in_step(repairs_drift=False)
    line.session.watch.groups_soon(line.now, is_waited_for=True)
    line.carry_out(line.session.on_desired(line.now, 2, line.session.desired))
    assert (line.session.carried_out_revision, line.session.confirmed_revision) == (2, 1)
    line.settle(2)
    assert line.session.confirmed_revision == 2


def test_with_report_a_switch_that_reconnects_is_brought_in_step() -> None:
    for change in (ADD_FOREIGN, messages.delete_flow(0, policy_flow(1))):
        line = in_step(repairs_drift=False)
        line.switch.change(change)
        line.connect()
        line.settle(3)
        assert line.is_as_wanted()


def test_what_was_changed_while_the_switch_was_away_is_drift_when_it_comes_back() -> None:
    line = in_step()
    line.connect()
    line.stranger(ADD_FOREIGN)
    while line.session.phase is Phase.READING:
        line.serve()
        line.hear()
    assert list(line.session.strays.flows) == [foreign_flow(4).key]
    line.settle(2)
    assert line.is_as_wanted()


def test_a_plan_that_took_effect_while_the_connection_broke_is_not_taken_for_drift() -> None:
    line = in_step()
    line.want({1, 2, 3, 4, 5})
    while line.to_switch:
        line.serve()  # its commit is sent only when the session has heard the barrier
    while line.to_session:
        line.hear()
    while line.to_switch:
        line.serve()
    assert line.held() == line.wanted()
    sent = line.sent_plans
    line.connect()
    line.settle(2)
    assert line.session.repairs == 0
    assert line.sent_plans == sent
    assert line.session.is_confirmed


def test_a_foreign_flow_that_is_there_before_the_controller_starts_is_drift_if_the_switch_is_ours() -> None:
    session = SwitchSession("s1")
    session.on_desired(0.0, 1, holding(ONE))
    session.on_connected(0.0)
    session.on_read(0.0, session.attempt, holding(ONE, foreign_flow(9)))
    assert list(session.strays.flows) == [foreign_flow(9).key]
    assert [flow.key for flow in session.last_plan.deleted_flows] == [foreign_flow(9).key]


def test_a_new_switch_that_forwards_by_itself_is_no_drift() -> None:
    session = SwitchSession("s1")
    session.on_desired(0.0, 1, holding(ONE))
    session.on_connected(0.0)
    session.on_read(0.0, session.attempt, holding(foreign_flow(9)))
    assert session.strays.count == 0
    assert session.last_plan.size == 2


def test_a_switch_that_cannot_monitor_is_read_in_turns() -> None:
    for monitors in (Monitors.REFUSED, Monitors.IGNORED):
        line = in_step(monitors)
        assert line.session.watch.monitoring is Monitoring.OFF
        assert line.session.watch.reason
        line.stranger(ADD_FOREIGN)
        line.settle(int(2 * READ_EVERY_S / 0.5) + 2)
        assert line.is_as_wanted()
        assert line.session.repairs == 1


def test_a_monitor_that_begins_late_makes_the_switch_be_read_again() -> None:
    line = in_step(Monitors.IGNORED)
    line.stranger(ADD_FOREIGN)
    line.carry_out(line.session.on_monitor_started(line.now))
    line.drain()
    assert line.is_as_wanted()
    assert line.session.watch.monitoring is Monitoring.ON


def test_decisions_do_not_keep_a_switch_without_a_monitor_from_being_read() -> None:
    line = in_step(Monitors.REFUSED)
    line.stranger(ADD_FOREIGN)
    for number in range(200):  # twenty seconds; each decision comes in the middle of a reading
        line.serve()
        line.decide(2) if number % 2 else line.undecide(2)
        line.tick(0.1)
        line.hear()
    line.settle(20)
    assert line.is_as_wanted()


def test_a_reading_that_a_plan_has_disturbed_is_repeated_after_it_and_not_disturbed_again() -> None:
    session = SwitchSession("s1")
    session.on_desired(0.0, 1, holding(ONE))
    session.on_connected(0.0)
    session.on_monitor_refused("no")
    session.on_read(0.0, session.attempt, holding(ONE))
    (reading,) = (each for each in session.on_tick(3.0) if isinstance(each, ReadSwitch))
    assert session.phase is Phase.IN_STEP  # what is desired can still be sent
    session.on_desired(3.1, 2, holding(ONE, TWO))
    assert session.on_read(3.2, reading.attempt, holding(ONE)) == ()
    commands = session.on_confirmed(3.3, session.attempt)
    assert commands == (ReadSwitch(session.attempt),)
    assert session.on_desired(3.4, 3, holding(ONE)) == ()  # it waits


def test_a_session_whose_monitor_is_paused_is_not_confirmed_and_reads_the_switch_afterwards() -> None:
    session = in_step_with(ONE)
    session.on_flows_changed(100.0, FlowsChanged((), was_paused=True))
    assert not session.is_confirmed
    commands = session.on_flows_changed(101.0, FlowsChanged((), was_resumed=True))
    assert session.watch.monitoring is Monitoring.ON
    attempts = [command.attempt for command in commands if hasattr(command, "attempt")]
    assert attempts == [session.attempt]
    session.on_read(101.5, session.attempt, holding(ONE, foreign_flow(4)))
    assert session.phase is Phase.DRIFTED


def test_a_monitor_that_never_resumes_makes_us_read_in_turns() -> None:
    session = in_step_with(ONE)
    session.on_flows_changed(100.0, FlowsChanged((), was_paused=True))
    for step in range(1, 21):
        now = 100.0 + step
        if any(hasattr(command, "attempt") for command in session.on_tick(now)):
            session.on_read(now, session.attempt, holding(ONE, foreign_flow(4)))
    assert session.phase is Phase.DRIFTED


def test_a_monitor_that_pauses_all_the_time_does_not_make_us_read_all_the_time() -> None:
    session = in_step_with(ONE)
    readings = 0
    for step in range(200):  # twenty seconds
        now = 100.0 + step / 10
        commands = session.on_flows_changed(now, FlowsChanged((), was_paused=True, was_resumed=True))
        if any(hasattr(command, "attempt") for command in commands):
            readings += 1
            session.on_read(now, session.attempt, holding(ONE))
    assert readings <= 20 / RESUMED_EVERY_S + 1


def test_a_reading_of_groups_that_is_never_answered_ends_in_reading_everything() -> None:
    session = in_step_with(ONE)
    session.on_tick(1.0)
    session.on_tick(1.0 + REPLY_TIMEOUT_S)
    assert session.phase is Phase.READING
    assert session.last_error.startswith("no answer")


def test_a_flood_of_foreign_flows_is_kept_within_bounds_and_the_rest_is_found_by_reading() -> None:
    strays = Strays()
    for number in range(MOST_FOREIGN + 1_000):
        key = WireKey(7, 1, number.to_bytes(4))
        strays.note_flow(key, None, WireFlow(key, 0, b"", b""))
    assert strays.count == MOST_FOREIGN
    assert strays.is_cut


def test_a_switch_with_more_foreign_flows_than_are_kept_is_not_confirmed_before_it_was_read_again() -> None:
    session = in_step_with(ONE)
    assert session.is_confirmed
    session.strays.is_cut = True
    assert not session.is_confirmed


def test_the_meters_of_a_refused_plan_are_ours_and_are_not_added_again() -> None:
    """They are sent before the bundle, which is refused without them."""
    session, meter = in_step_with(ONE), WireMeter(7, b"body")
    first, _ = session.on_desired(1.0, 2, replace(holding(ONE, TWO), meters={7: meter}))
    assert isinstance(first, ReadGroups)
    session.on_groups_read(1.1, GroupsRead(first.turn, {}, {}))
    session.on_refused(1.2, session.attempt, "no")
    (turn,) = session.on_tick(2.9)
    assert isinstance(turn, ReadGroups)
    session.on_groups_read(3.0, GroupsRead(turn.turn, {}, {7: meter}))
    assert session.strays.count == 0
    session.on_read(
        4.2, session.attempt if session.on_tick(4.0) else 0, replace(holding(ONE), meters={7: meter})
    )
    assert session.phase is Phase.SENDING
    assert (session.last_plan.put_flows, session.last_plan.new_meters) == ((TWO,), ())


def test_what_a_switch_has_refused_is_forgotten_with_its_connection() -> None:
    session = in_step_with(ONE)
    session.on_desired(1.0, 2, holding(ONE, TWO))
    session.on_refused(1.1, session.attempt, "no")
    session.on_disconnected()
    assert session.refused.count == 0
    session.on_connected(2.0)
    session.on_read(2.1, session.attempt, holding(ONE))
    assert session.phase is Phase.SENDING
