"""Which reply belongs to which request: confirmed only after commit and barrier, late replies ignored."""

import struct

import pytest

from controller.compiler.compile import compile_policy
from controller.openflow import messages
from controller.openflow.conversation import Conversation
from controller.openflow.encode import to_wire
from controller.openflow.messages import BundleControl, Type
from controller.policy.parse import parse_policy
from controller.sync.outcomes import (
    Outcome,
    PlanCommitted,
    PlanConfirmed,
    PlanRefused,
    Port,
    PortChanged,
    SwitchRead,
)
from controller.sync.plan import Plan, difference
from controller.sync.state import WireState
from tests.compiler.conftest import POLICIES
from tests.fake_switch import FakeSwitch, encode_port


@pytest.fixture(scope="module")
def demo() -> WireState:
    policy = parse_policy((POLICIES / "demo.yaml").read_text(encoding="utf-8"), "demo.yaml")
    return to_wire(compile_policy(policy)["s1"])


def carried_on(conversation: Conversation, switch: FakeSwitch, due: list[bytes]) -> list[Outcome]:
    """Hand messages over, and replies back, until both sides have nothing left to say."""
    outcomes = []
    while due:
        for reply in switch.receive(due.pop(0)):
            outcomes.append(conversation.receive(reply))
        due += conversation.take_outgoing()
    return [outcome for outcome in outcomes if outcome is not None]


def xid_of(message: bytes) -> int:
    return int.from_bytes(message[4:8])


def test_a_plan_is_confirmed_once_and_read_back_as_it_was_sent(demo: WireState) -> None:
    conversation, switch = Conversation(), FakeSwitch()
    plan = difference(demo, WireState())
    said = carried_on(conversation, switch, conversation.send_plan(3, plan))
    assert said == [PlanCommitted(3), PlanConfirmed(3)]
    (read,) = carried_on(conversation, switch, conversation.ask_state(4))
    assert isinstance(read, SwitchRead)
    assert read.attempt == 4
    assert difference(demo, read.installed).is_empty


def test_nothing_is_committed_before_the_switch_has_looked_at_all_of_the_bundle(demo: WireState) -> None:
    conversation = Conversation()
    sent = conversation.send_plan(1, difference(demo, WireState()))
    kinds = [message[1] for message in sent]
    begins = kinds.index(Type.BUNDLE_CONTROL)
    assert set(kinds[:begins]) == {Type.METER_MOD}  # no bundle holds meters
    assert set(kinds[begins + 1 : -1]) == {Type.BUNDLE_ADD}
    assert kinds[-1] == Type.BARRIER_REQUEST
    assert conversation.take_outgoing() == []
    conversation.receive(messages.message(Type.BARRIER_REPLY, xid_of(sent[0])))
    assert [message[1] for message in conversation.take_outgoing()] == [
        Type.BUNDLE_CONTROL,
        Type.BARRIER_REQUEST,
    ]


def test_a_message_that_is_refused_throws_the_bundle_away() -> None:
    conversation = Conversation()
    sent = conversation.send_plan(1, Plan())
    error = messages.message(Type.ERROR, xid_of(sent[0]), struct.pack("!HH", 3, 2) + sent[0])
    outcome = conversation.receive(error)
    assert isinstance(outcome, PlanRefused)
    assert outcome.reason.startswith("the switch refused: bad instruction, code 2")
    (discard,) = conversation.take_outgoing()
    assert struct.unpack_from("!H", discard, 12)[0] == BundleControl.DISCARD_REQUEST


def test_an_error_of_a_kind_without_a_name_is_told_by_number() -> None:
    conversation = Conversation()
    sent = conversation.send_plan(1, Plan())
    outcome = conversation.receive(messages.message(Type.ERROR, xid_of(sent[0]), bytes.fromhex("00630001")))
    assert isinstance(outcome, PlanRefused)
    assert "error type 99, code 1" in outcome.reason


def test_a_barrier_reply_that_comes_twice_commits_once_and_confirms_nothing() -> None:
    conversation = Conversation()
    sent = conversation.send_plan(1, Plan())
    barrier = messages.message(Type.BARRIER_REPLY, xid_of(sent[0]))
    assert conversation.receive(barrier) is None
    assert len(conversation.take_outgoing()) == 2
    assert conversation.receive(barrier) is None
    assert conversation.take_outgoing() == []


def test_replies_to_a_plan_that_was_given_up_are_ignored() -> None:
    conversation, switch = Conversation(), FakeSwitch()
    old = conversation.send_plan(1, Plan())
    late = [reply for message in old for reply in switch.receive(message)]
    conversation.send_plan(2, Plan())
    assert [conversation.receive(reply) for reply in late] == [None] * len(late)
    assert conversation.take_outgoing() == []


def test_replies_to_a_reading_that_was_given_up_are_ignored() -> None:
    conversation, switch = Conversation(), FakeSwitch()
    late = [reply for message in conversation.ask_state(1) for reply in switch.receive(message)]
    fresh = conversation.ask_state(2)
    assert [conversation.receive(reply) for reply in late] == [None] * len(late)
    (read,) = carried_on(conversation, switch, fresh)
    assert isinstance(read, SwitchRead)
    assert read.attempt == 2


def test_a_reading_in_which_a_part_comes_twice_is_the_same_state(demo: WireState) -> None:
    conversation, switch = Conversation(), FakeSwitch()
    carried_on(conversation, switch, conversation.send_plan(1, difference(demo, WireState())))
    outcomes = []
    for message in conversation.ask_state(2):
        for reply in switch.receive(message):
            outcomes += [conversation.receive(reply), conversation.receive(reply)]
    (read,) = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(read, SwitchRead)
    assert difference(demo, read.installed).is_empty


@pytest.mark.parametrize(("reason", "was_deleted"), [(0, False), (1, True), (2, False)])
def test_a_port_that_changes_is_told_whatever_is_in_flight(reason: int, was_deleted: bool) -> None:
    body = struct.pack("!B7x", reason) + encode_port(4, is_down=True)
    outcome = Conversation().receive(messages.message(Type.PORT_STATUS, 0, body))
    assert outcome == PortChanged(Port(4, "02:70:00:00:00:04", "p4", True), was_deleted)


def test_a_hello_is_nothing_to_anybody() -> None:
    assert Conversation().receive(messages.message(Type.HELLO, 1)) is None
