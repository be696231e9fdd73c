"""One switch session through bad luck. It always ends in step, or says why not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from controller.sync.commands import ReadGroups, ReadSwitch, SendPlan, SwitchCommand
from controller.sync.outcomes import GroupsRead
from controller.sync.plan import Plan, difference
from controller.sync.refusal import RETRY_S
from controller.sync.session import REPLY_TIMEOUT_S, Phase, SwitchSession
from controller.sync.state import WireFlow, WireKey, WireState
from tests.examples import examples

EMPTY = WireState()


def holding(*priorities: int) -> WireState:
    flows = [WireFlow(WireKey(7, priority, b""), 1, b"", b"") for priority in priorities]
    return WireState({flow.key: flow for flow in flows})


def reading(desired: WireState = EMPTY, revision: int = 1) -> SwitchSession:
    """A session that has just asked the switch for its tables."""
    session = SwitchSession("s1")
    session.on_desired(0.0, revision, desired)
    session.on_connected(0.0)
    return session


def sending(desired: WireState, installed: WireState = EMPTY) -> SwitchSession:
    """A session that has sent its plan and waits for the barrier."""
    session = reading(desired)
    session.on_read(0.0, session.attempt, installed)
    assert session.phase is Phase.SENDING
    return session


def in_step(desired: WireState) -> SwitchSession:
    session = sending(desired)
    session.on_confirmed(0.0, session.attempt)
    assert session.phase is Phase.IN_STEP
    return session


def plan_of(commands: tuple[SwitchCommand, ...]) -> Plan:
    (plan,) = (command.plan for command in commands if isinstance(command, SendPlan))
    return plan


def test_a_switch_that_connects_is_read_before_anything_is_sent() -> None:
    session = SwitchSession("s1")
    session.on_desired(0.0, 1, holding(1))
    assert session.on_connected(0.0) == (ReadSwitch(1),)


def test_only_the_difference_is_sent() -> None:
    session = reading(holding(1, 2))
    plan = plan_of(session.on_read(0.0, session.attempt, holding(1, 3)))
    assert [flow.key.priority for flow in plan.put_flows] == [2]
    assert [flow.key.priority for flow in plan.deleted_flows] == [3]
    assert session.flows_sent == 2


def test_a_switch_that_holds_everything_already_is_sent_nothing() -> None:
    session = reading(holding(1), revision=4)
    assert session.on_read(0.0, session.attempt, holding(1)) == ()
    assert (session.phase, session.confirmed_revision, session.flows_sent) == (Phase.IN_STEP, 4, 0)


def test_a_revision_counts_as_confirmed_only_after_the_barrier() -> None:
    session = sending(holding(1))
    assert session.confirmed_revision == 0
    session.on_confirmed(1.0, session.attempt)
    assert (session.phase, session.confirmed_revision) == (Phase.IN_STEP, 1)


def test_a_policy_that_comes_while_a_plan_is_on_its_way_is_sent_after_it() -> None:
    session = sending(holding(1))
    assert session.on_desired(0.0, 2, holding(1, 2)) == ()
    plan = plan_of(session.on_confirmed(1.0, session.attempt))
    assert [flow.key.priority for flow in plan.put_flows] == [2]
    assert session.confirmed_revision == 1
    session.on_confirmed(2.0, session.attempt)
    assert session.confirmed_revision == 2


def test_a_policy_that_comes_while_the_switch_is_read_is_the_one_that_is_sent() -> None:
    session = reading(holding(1))
    assert session.on_desired(0.0, 2, holding(2)) == ()
    plan = plan_of(session.on_read(0.0, session.attempt, EMPTY))
    assert [flow.key.priority for flow in plan.put_flows] == [2]


def test_a_policy_that_comes_when_all_is_in_step_is_sent_at_once() -> None:
    session = in_step(holding(1))
    assert plan_of(session.on_desired(5.0, 2, holding(1, 2))).size == 1


def test_a_policy_that_comes_while_the_switch_is_away_waits_for_it() -> None:
    session = in_step(holding(1))
    session.on_disconnected()
    assert session.on_desired(5.0, 2, holding(2)) == ()
    assert session.phase is Phase.OFFLINE


@pytest.mark.parametrize("begin", [lambda: reading(holding(1)), lambda: sending(holding(1))])
def test_a_barrier_or_reply_that_never_returns_ends_in_reading_again(
    begin: Callable[[], SwitchSession],
) -> None:
    session = begin()
    waiting, attempt = session.phase, session.attempt
    assert session.on_tick(REPLY_TIMEOUT_S - 0.1) == ()
    assert session.on_tick(REPLY_TIMEOUT_S) == (ReadSwitch(attempt + 1),)
    assert session.last_error == f"no answer within 15 s while {waiting}"


def test_a_barrier_reply_that_comes_after_we_gave_up_confirms_nothing() -> None:
    session = sending(holding(1))
    late = session.attempt
    session.on_tick(REPLY_TIMEOUT_S)
    assert session.on_confirmed(20.0, late) == ()
    assert (session.phase, session.confirmed_revision) == (Phase.READING, 0)


def test_the_error_is_forgotten_once_the_switch_confirms() -> None:
    session = sending(holding(1))
    session.on_tick(REPLY_TIMEOUT_S)
    session.on_read(20.0, session.attempt, holding(1))
    assert (session.phase, session.last_error, session.confirmed_revision) == (Phase.IN_STEP, "", 1)


def test_an_error_in_a_bundle_leaves_the_old_state_and_says_why() -> None:
    session = sending(holding(1, 2), installed=holding(1))
    assert session.on_refused(1.0, session.attempt, "the switch refused: table full") == ()
    assert (session.phase, session.last_error) == (Phase.REFUSED, "the switch refused: table full")
    assert session.installed == holding(1)
    assert session.confirmed_revision == 0


def test_a_refused_plan_is_tried_again_from_what_the_switch_really_holds() -> None:
    session = sending(holding(1))
    session.on_refused(1.0, session.attempt, "no")
    assert session.on_tick(1.0 + RETRY_S - 0.1) == (ReadGroups(1),)  # changes by others are still looked for
    (command,) = session.on_tick(1.0 + RETRY_S)
    assert isinstance(command, ReadSwitch)
    assert session.last_error == "no"


def test_a_mended_policy_does_not_wait_for_the_retry() -> None:
    session = sending(holding(1))
    session.on_refused(1.0, session.attempt, "no")
    assert plan_of(session.on_desired(1.1, 2, holding(2))).size == 1


def test_a_refusal_that_comes_twice_does_not_put_off_the_retry() -> None:
    session = sending(holding(1))
    session.on_refused(1.0, session.attempt, "no")
    session.on_refused(2.5, session.attempt, "no")
    assert session.on_tick(1.0 + RETRY_S) != ()


def test_a_refusal_that_comes_after_the_confirmation_changes_nothing() -> None:
    session = in_step(holding(1))
    session.on_refused(1.0, session.attempt, "an old error")
    assert (session.phase, session.last_error) == (Phase.IN_STEP, "")


def test_a_switch_that_disconnects_in_the_middle_of_a_plan_is_read_when_it_comes_back() -> None:
    session = sending(holding(1, 2))
    late = session.attempt
    session.on_disconnected()
    assert session.on_confirmed(1.0, late) == ()
    assert session.on_refused(1.0, late, "no") == ()
    assert session.on_tick(100.0) == ()
    assert session.phase is Phase.OFFLINE
    assert isinstance(session.on_connected(101.0)[0], ReadSwitch)
    # The bundle had been carried out, though nobody heard of it.
    assert session.on_read(102.0, session.attempt, holding(1, 2)) == ()
    assert session.confirmed_revision == 1


def test_a_switch_that_restarts_empty_is_given_everything_again() -> None:
    session = in_step(holding(1, 2))
    session.on_disconnected()
    session.on_connected(10.0)
    assert plan_of(session.on_read(11.0, session.attempt, EMPTY)).size == 2


def test_a_reading_that_is_delivered_twice_sends_one_plan() -> None:
    session = reading(holding(1))
    attempt = session.attempt
    assert session.on_read(0.0, attempt, EMPTY) != ()
    assert session.on_read(0.0, attempt, EMPTY) == ()


def test_a_confirmation_that_is_delivered_twice_is_heard_once() -> None:
    session = sending(holding(1))
    attempt = session.attempt
    session.on_desired(0.0, 2, holding(1, 2))
    assert session.on_confirmed(0.0, attempt) != ()
    assert session.on_confirmed(0.0, attempt) == ()
    assert session.confirmed_revision == 1


def test_a_flow_that_somebody_added_by_hand_is_taken_out_when_the_switch_is_read() -> None:
    session = reading(holding(1))
    plan = plan_of(session.on_read(0.0, session.attempt, holding(1, 65_000)))
    assert [flow.key.priority for flow in plan.deleted_flows] == [65_000]


class WorldOfOneSwitch:
    """A switch, its controller's session, and messages between them that bad luck may hold up or repeat."""

    def __init__(self) -> None:
        self.session = SwitchSession("s1")
        self.tables = EMPTY
        self.now = 0.0
        self.answers: list[Callable[[], tuple[SwitchCommand, ...]]] = []

    def carry_out(self, commands: tuple[SwitchCommand, ...]) -> None:
        for command in commands:
            if isinstance(command, ReadSwitch):
                self._answer(self.session.on_read, command.attempt, self.tables)
            elif isinstance(command, ReadGroups):
                seen = GroupsRead(command.turn, self.tables.groups, self.tables.meters)
                self._answer(self.session.on_groups_read, seen)
            else:
                self._send(command)

    def _send(self, command: SendPlan) -> None:
        flows = {
            key: flow for key, flow in self.tables.flows.items() if flow not in command.plan.deleted_flows
        }
        self.tables = replace(self.tables, flows=flows | {flow.key: flow for flow in command.plan.put_flows})
        self._answer(self.session.on_confirmed, command.attempt)

    def _answer(self, hear: Callable[..., tuple[SwitchCommand, ...]], *facts: object) -> None:
        self.answers.append(lambda: hear(self.now, *facts))

    def deliver(self, at: int, is_repeated: bool) -> None:
        if self.answers:
            at %= len(self.answers)
            answer = self.answers[at] if is_repeated else self.answers.pop(at)
            self.carry_out(answer())

    def settle(self) -> None:
        """Good luck from now on: every message arrives, and time passes."""
        for _ in range(20):
            self.now += REPLY_TIMEOUT_S
            self.carry_out(self.session.on_tick(self.now))
            while self.answers:
                self.deliver(0, is_repeated=False)


Step = tuple[str, Any]
STEPS = st.one_of(
    st.tuples(st.just("policy"), st.sets(st.integers(1, 5))),
    st.tuples(st.just("deliver"), st.integers(0, 3)),
    st.tuples(st.just("repeat"), st.integers(0, 3)),
    st.tuples(st.just("lose"), st.integers(0, 3)),
    st.tuples(st.sampled_from(["connect", "disconnect", "restart", "wait"]), st.none()),
)


@hypothesis.given(st.lists(STEPS, max_size=25))
@examples(300)
def test_whatever_is_lost_late_or_repeated_the_switch_ends_up_as_desired(steps: list[Step]) -> None:
    world, revision = WorldOfOneSwitch(), 0
    for kind, value in steps:
        world.now += 1.0
        if kind == "policy":
            revision += 1
            world.carry_out(world.session.on_desired(world.now, revision, holding(*value)))
        elif kind in ("deliver", "repeat"):
            world.deliver(value, is_repeated=kind == "repeat")
        elif kind == "lose":
            del world.answers[value : value + 1]
        elif kind == "connect":
            world.carry_out(world.session.on_connected(world.now))
        elif kind == "wait":
            world.now += REPLY_TIMEOUT_S
            world.carry_out(world.session.on_tick(world.now))
        else:
            world.session.on_disconnected()
            world.tables = EMPTY if kind == "restart" else world.tables
    world.carry_out(world.session.on_connected(world.now))
    world.settle()
    assert difference(world.session.desired, world.tables).is_empty
    assert world.session.phase is Phase.IN_STEP
    assert world.session.confirmed_revision == revision
