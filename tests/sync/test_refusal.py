"""How long what a switch has refused is not sent again."""

from controller.sync.commands import SendPlan, SwitchCommand
from controller.sync.outcomes import GroupsRead
from controller.sync.plan import Plan
from controller.sync.refusal import LONGEST_PAUSE_S, SwitchRefusal
from controller.sync.session import Phase, SwitchSession
from tests.sync.test_drift import ONE, TWO, added, holding, in_step_with, removed
from tests.sync.test_stranger import foreign_flow


def test_each_refusal_doubles_the_pause_up_to_half_a_minute() -> None:
    refused, pauses = SwitchRefusal(), []
    for _ in range(1_000):
        refused = refused.again("no")
        pauses.append(refused.pause_s)
    assert pauses[:6] == [2.0, 4.0, 8.0, 16.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert set(pauses[6:]) == {LONGEST_PAUSE_S}


def test_a_decision_that_is_taken_does_not_end_the_refusal_of_a_repair() -> None:
    session = in_step_with(ONE, repairs_drift=True)
    session.on_flows_changed(1.0, added(foreign_flow(4)))
    while session.refused.count < 2:
        session.on_refused(1.0, session.attempt, "no room")
        session.on_groups_read(1.0, GroupsRead(session.watch.turn, {}, {}))
    session.on_desired(1.5, 2, holding(ONE, TWO))
    assert session.phase is Phase.SENDING
    session.on_confirmed(1.6, session.attempt)
    assert (session.refused.reason, session.last_error) == ("no room", "no room")
    assert session.carried_out_revision == 2


def test_a_refusal_ends_when_what_was_to_be_repaired_ends_by_itself() -> None:
    session = in_step_with(ONE, repairs_drift=True)
    session.on_flows_changed(1.0, added(foreign_flow(4)))
    session.on_refused(1.0, session.attempt, "no room")
    session.on_flows_changed(1.0, removed(foreign_flow(4)))
    assert (session.phase, session.refused, session.last_error) == (Phase.IN_STEP, SwitchRefusal(), "")


def refusing(reason: str = "no room") -> SwitchSession:
    """Return a session whose switch has refused the plan of a policy."""
    session = in_step_with(ONE, repairs_drift=True)
    session.on_desired(1.0, 2, holding(ONE, TWO))
    session.on_refused(1.0, session.attempt, reason)
    return session


def plans_in(commands: tuple[SwitchCommand, ...]) -> list[Plan]:
    return [each.plan for each in commands if isinstance(each, SendPlan)]


def test_what_others_have_changed_is_put_right_while_a_plan_is_refused() -> None:
    session = refusing()
    stranger = foreign_flow(4)
    (plan,) = plans_in(session.on_flows_changed(1.2, added(stranger)))
    assert (plan.deleted_flows, plan.put_flows) == ((stranger,), ())
    session.on_confirmed(1.3, session.attempt)
    assert (session.phase, session.strays.count) == (Phase.REFUSED, 0)
    assert (session.refused.reason, session.carried_out_revision) == ("no room", 1)
    assert plans_in(session.on_tick(2.9)) == []
    session.on_tick(3.1)
    (plan,) = plans_in(session.on_read(3.2, session.attempt, holding(ONE)))
    assert plan.put_flows == (TWO,)


def test_a_flow_that_a_stranger_deletes_comes_back_while_a_plan_is_refused() -> None:
    session = refusing()
    (plan,) = plans_in(session.on_flows_changed(1.2, removed(ONE)))
    assert (plan.put_flows, plan.deleted_flows) == ((ONE,), ())
    session.on_confirmed(1.3, session.attempt)
    assert session.confirmed_revision == 1


def test_a_repair_that_is_refused_as_well_waits_and_the_plan_is_tried_again() -> None:
    session = refusing()
    assert plans_in(session.on_flows_changed(1.2, added(foreign_flow(4))))
    session.on_refused(1.3, session.attempt, "no room either")
    assert (session.phase, session.refused.reason) == (Phase.REFUSED, "no room either")
    assert plans_in(session.on_tick(2.0)) == []
    session.on_tick(3.1)
    assert session.phase is Phase.READING


def test_a_switch_that_does_not_answer_a_repair_is_read_and_gets_the_whole_plan() -> None:
    session = refusing()
    stranger = foreign_flow(4)
    assert plans_in(session.on_flows_changed(1.2, added(stranger)))
    session.on_tick(17.0)
    assert session.phase is Phase.READING
    (plan,) = plans_in(session.on_read(17.1, session.attempt, holding(ONE, stranger)))
    assert (plan.put_flows, plan.deleted_flows) == ((TWO,), (stranger,))
    session.on_confirmed(17.2, session.attempt)
    assert (session.phase, session.confirmed_revision) == (Phase.IN_STEP, 2)
