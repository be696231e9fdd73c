"""Somebody else changes a switch at any time, byte by byte in order as on one connection.

When nothing travels, the session knows exactly what the switch holds; in the end it holds what it should.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import hypothesis
from hypothesis import strategies as st

from controller.ids import FIRST_DECISION_METER, cookie_of
from controller.openflow import messages
from controller.openflow.actions import encode_instructions
from controller.openflow.conversation import Conversation
from controller.openflow.messages import GroupCommand, MeterCommand
from controller.pipeline.flows import Output, ToGroup
from controller.sync.commands import ReadGroups, ReadSwitch, SwitchCommand
from controller.sync.outcomes import (
    FlowsChanged,
    GroupsRead,
    GroupsTouched,
    MonitorRefused,
    MonitorStarted,
    Outcome,
    PlanCommitted,
    PlanConfirmed,
    PlanRefused,
    SwitchRead,
)
from controller.sync.session import Phase, SwitchSession
from controller.sync.state import WireFlow, WireGroup, WireKey, WireMeter, WireState
from tests.examples import examples
from tests.fake_switch import FakeSwitch, Monitors, Refused

TABLE = 7


def policy_flow(number: int) -> WireFlow:
    """Flow N goes to group 1 or 2."""
    actions = encode_instructions((ToGroup(1 + number % 2),), None)
    return WireFlow(WireKey(TABLE, number, b""), cookie_of(f"tenants.t{number}"), actions, b"")


def decision_flow(number: int) -> WireFlow:
    meter = FIRST_DECISION_METER + number
    key = WireKey(TABLE, 100 + number, b"")
    return WireFlow(
        key, cookie_of(f"decisions.{number}"), encode_instructions((Output(1),), None, meter=meter), b""
    )


def foreign_flow(priority: int) -> WireFlow:
    return WireFlow(WireKey(TABLE, priority, b""), 0, encode_instructions((Output(9),), None), b"")


def meter(number: int, rate: int = 10) -> WireMeter:
    body = bytes.fromhex("000e") + bytes.fromhex("00010010") + rate.to_bytes(4) * 2 + bytes(4)
    return WireMeter(number, body)


def group(number: int, port: int) -> WireGroup:
    bucket = bytes.fromhex("00200001ffffffffffffffff00000000") + bytes.fromhex("00000010") + port.to_bytes(4)
    return WireGroup(number, 1, bucket + bytes(8))


def policy(numbers: set[int], port: int) -> WireState:
    flows = [policy_flow(number) for number in numbers]
    used = {1 + number % 2 for number in numbers}
    return WireState({flow.key: flow for flow in flows}, {number: group(number, port) for number in used})


class Line:
    """One session and one switch, with everything in between in order."""

    def __init__(self, monitors: Monitors = Monitors.GRANTED, repairs_drift: bool = True) -> None:
        self.switch = FakeSwitch(monitors=monitors)
        self.session = SwitchSession("s1", repairs_drift=repairs_drift)
        self.now = 0.0
        self.revision = 0
        self.to_switch: deque[bytes] = deque()
        self.to_session: deque[bytes] = deque()
        self.sent_plans = 0
        self._conversation = Conversation()

    def want(self, numbers: set[int], port: int = 1) -> None:
        self.revision += 1
        self.carry_out(self.session.on_desired(self.now, self.revision, policy(numbers, port)))

    def decide(self, number: int) -> None:
        self.session.overlay.put([decision_flow(number)], [meter(FIRST_DECISION_METER + number)])
        self.carry_out(self.session.on_overlay(self.now))

    def undecide(self, number: int) -> None:
        self.session.overlay.remove([decision_flow(number).key], [FIRST_DECISION_METER + number])
        self.carry_out(self.session.on_overlay(self.now))

    def connect(self) -> None:
        self.session.on_disconnected()
        self.to_switch.clear()
        self.to_session.clear()
        self._conversation = Conversation()
        self.switch.disconnect()
        self.to_switch += self._conversation.ask_monitor()
        self.carry_out(self.session.on_connected(self.now))

    def carry_out(self, commands: tuple[SwitchCommand, ...]) -> None:
        for command in commands:
            if isinstance(command, ReadSwitch):
                self.to_switch += self._conversation.ask_state(command.attempt)
            elif isinstance(command, ReadGroups):
                self.to_switch += self._conversation.ask_groups(command.turn)
            else:
                self.sent_plans += 1
                self.to_switch += self._conversation.send_plan(command.attempt, command.plan)

    def stranger(self, *requests: bytes) -> None:
        for request in requests:
            try:
                self.to_session += self.switch.change(request)
            except Refused:
                continue

    def delete_all(self) -> None:
        self.to_session += self.switch.delete_all_flows()

    def serve(self) -> None:
        """Let the switch carry out one message."""
        if self.to_switch:
            self.to_session += self.switch.receive(self.to_switch.popleft())

    def hear(self) -> None:
        """Let the session take one message of the switch."""
        if not self.to_session:
            return
        outcome = self._conversation.receive(self.to_session.popleft())
        self.to_switch += self._conversation.take_outgoing()
        if outcome is not None:
            self.carry_out(self._take(outcome))

    def _take(self, outcome: Outcome) -> tuple[SwitchCommand, ...]:
        session, now = self.session, self.now
        match outcome:
            case SwitchRead(attempt, installed):
                return session.on_read(now, attempt, installed)
            case PlanCommitted(attempt):
                return session.on_committed(attempt)
            case PlanConfirmed(attempt):
                return session.on_confirmed(now, attempt)
            case PlanRefused(attempt, reason):
                return session.on_refused(now, attempt, reason)
            case MonitorStarted():
                return session.on_monitor_started(now)
            case MonitorRefused(reason):
                return session.on_monitor_refused(reason)
            case FlowsChanged():
                return session.on_flows_changed(now, outcome)
            case GroupsTouched():
                return session.on_groups_touched(now)
            case GroupsRead():
                return session.on_groups_read(now, outcome)
        return ()

    def tick(self, seconds: float = 0.3) -> None:
        self.now += seconds
        self.carry_out(self.session.on_tick(self.now))

    def drain(self) -> None:
        while self.to_switch or self.to_session:
            self.serve()
            self.hear()

    def settle(self, ticks: int = 40) -> None:
        for _ in range(ticks):
            self.drain()
            self.tick(0.5)
        self.drain()

    def held(self) -> dict[WireKey, tuple[int, bytes]]:
        """What the switch really holds."""
        return {
            WireKey(*key): (flow.cookie, flow.instructions) for key, flow in self.switch.tables.flows.items()
        }

    def believed(self) -> dict[WireKey, tuple[int, bytes]]:
        """What the session thinks that it holds."""
        session = self.session
        flows = {**session.installed.flows, **session.overlay.installed, **session.strays.flows}
        return {
            key: (flow.cookie, flow.instructions)
            for key, flow in flows.items()
            if key not in session.strays.missing
        }

    def wanted(self) -> dict[WireKey, tuple[int, bytes]]:
        flows = {**self.session.desired.flows, **self.session.overlay.flows}
        return {key: (flow.cookie, flow.instructions) for key, flow in flows.items()}

    def is_as_wanted(self) -> bool:
        groups = {number: (each.kind, each.buckets) for number, each in self.session.desired.groups.items()}
        meters = {number: each.body for number, each in self.session.overlay.meters.items()}
        tables = self.switch.tables
        return self.held() == self.wanted() and tables.groups == groups and tables.meters == meters


def in_step(monitors: Monitors = Monitors.GRANTED, repairs_drift: bool = True) -> Line:
    line = Line(monitors, repairs_drift)
    line.want({1, 2, 3})
    line.decide(1)
    line.connect()
    line.settle(5)
    assert line.session.is_confirmed
    assert line.is_as_wanted()
    return line


Step = tuple[Any, ...]
_NUMBER = st.integers(1, 5)
STEPS = st.one_of(
    st.tuples(st.just("want"), st.sets(_NUMBER), st.integers(1, 3)),
    st.tuples(st.sampled_from(["decide", "undecide", "foreign", "decided", "delete"]), _NUMBER),
    st.tuples(st.sampled_from(["change group", "delete group", "add group"]), st.integers(1, 3)),
    st.tuples(st.sampled_from(["change meter", "delete meter"]), _NUMBER),
    st.tuples(st.sampled_from(["delete all", "connect", "tick", "tick", "settle"])),
    st.tuples(st.sampled_from(["serve", "hear", "serve", "hear"]), st.integers(1, 6)),
)


def foreign_group(command: GroupCommand) -> Callable[[Line, int], None]:
    return lambda line, number: line.stranger(messages.put_group(0, command, group(number, 9)))


def foreign_meter(line: Line, number: int) -> None:
    line.stranger(messages.put_meter(0, MeterCommand.MODIFY, meter(FIRST_DECISION_METER + number, 77)))


def several(step: Callable[[Line], None]) -> Callable[[Line, int], None]:
    def work(line: Line, number: int) -> None:
        for _ in range(number):
            step(line)

    return work


WORK: Mapping[str, Callable[..., None]] = {
    "want": Line.want,
    "decide": Line.decide,
    "undecide": Line.undecide,
    "foreign": lambda line, number: line.stranger(messages.add_flow(0, foreign_flow(number))),
    "decided": lambda line, number: line.stranger(messages.add_flow(0, foreign_flow(100 + number))),
    "delete": lambda line, number: line.stranger(messages.delete_flow(0, policy_flow(number))),
    "change group": foreign_group(GroupCommand.MODIFY),
    "add group": foreign_group(GroupCommand.ADD),
    "delete group": lambda line, number: line.stranger(messages.delete_group(0, number)),
    "change meter": foreign_meter,
    "delete meter": lambda line, n: line.stranger(messages.delete_meter(0, FIRST_DECISION_METER + n)),
    "delete all": Line.delete_all,
    "connect": Line.connect,
    "tick": Line.tick,
    "settle": Line.drain,
    "serve": several(Line.serve),
    "hear": several(Line.hear),
}


def carry_out(line: Line, step: Step) -> None:
    kind, *values = step
    WORK[kind](line, *values)


def test_a_foreign_flow_in_the_place_of_a_decision_that_is_not_sent_yet_does_not_block_its_meter() -> None:
    line = Line()
    line.want({1, 2})
    line.connect()
    line.decide(1)
    several(Line.serve)(line, 6)
    line.stranger(
        messages.add_flow(0, foreign_flow(101)), messages.put_group(0, GroupCommand.ADD, group(1, 9))
    )
    line.settle()
    assert line.is_as_wanted(), line.session
    assert line.session.is_confirmed


# Another client deletes the meter of a decision before the controller does.
_LOST_METER: list[Step] = [
    ("decide", 3), ("settle",), ("want", set(), 1), ("undecide", 3), ("delete meter", 3), ("want", {1}, 1),
]  # fmt: skip


@hypothesis.given(st.lists(STEPS, max_size=30), st.sampled_from(list(Monitors)))
@hypothesis.example(_LOST_METER, Monitors.GRANTED)
@examples(150)
def test_whatever_a_stranger_does_and_when_the_switch_ends_up_as_desired(
    steps: list[Step],
    monitors: Monitors,
) -> None:
    line = Line(monitors)
    line.want({1, 2})
    line.connect()
    for step in steps:
        carry_out(line, step)
    line.settle(40 if monitors is Monitors.GRANTED else 140)  # a slow switch is read every minute at least
    assert line.is_as_wanted(), (line.session, line.switch.tables)
    assert line.session.is_confirmed
    assert line.session.confirmed_revision == line.revision


@hypothesis.given(st.lists(STEPS, max_size=30))
@examples(150)
def test_when_nothing_travels_a_monitored_session_knows_exactly_which_flows_the_switch_holds(
    steps: list[Step],
) -> None:
    line = Line()
    line.want({1, 2})
    line.connect()
    line.settle(3)
    for step in steps:
        carry_out(line, step)
        if not line.to_switch and not line.to_session and line.session.phase is not Phase.REFUSED:
            assert line.believed() == line.held()


@hypothesis.given(st.lists(STEPS, max_size=20))
@examples(100)
def test_a_session_that_only_reports_sends_no_repair_and_is_never_confirmed_while_anything_differs(
    steps: list[Step],
) -> None:
    line = in_step(repairs_drift=False)
    sent = line.sent_plans
    for step in steps:
        if step[0] in ("want", "decide", "undecide", "connect"):
            continue
        carry_out(line, step)
    line.settle(4)
    assert line.sent_plans == sent
    assert line.session.is_confirmed == line.is_as_wanted()
    line.carry_out(line.session.on_repair(line.now))
    line.settle()
    assert line.is_as_wanted()
