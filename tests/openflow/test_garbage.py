"""Whatever a switch sends is an outcome, is nothing, or is a `BadMessage`."""

import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import NoneType

import hypothesis
import pytest
from hypothesis import strategies as st

from controller.openflow import messages, replies
from controller.openflow.conversation import Conversation
from controller.openflow.messages import Type
from controller.openflow.replies import BadMessage
from controller.sync.outcomes import (
    FlowsChanged,
    GroupsRead,
    GroupsTouched,
    MonitorRefused,
    MonitorStarted,
    PlanCommitted,
    PlanConfirmed,
    PlanRefused,
    PortChanged,
    PortsRead,
    ResetRefused,
    SwitchRead,
)
from controller.sync.plan import Plan
from controller.sync.settings import SettingsReset
from tests.examples import examples
from tests.fake_switch import FakeSwitch, HeldFlow, encode_flow_stats, encode_port
from tests.openflow.client import SwitchClient

_ECHO_REQUEST = 2
FIRST_XID = 0x8000_0001  # of a conversation that has just begun
FLOW = encode_flow_stats((7, 5, b""), HeldFlow(1, bytes.fromhex("80000a020800"), b""))


def asked_to_read() -> Conversation:
    conversation = Conversation()
    conversation.ask_state(1)
    return conversation


def asked_to_watch() -> Conversation:
    conversation = Conversation()
    conversation.ask_monitor()
    conversation.ask_groups(1)
    return conversation


def asked_for_settings() -> Conversation:
    """The ids of the pending requests are those of the others, too."""
    conversation = Conversation()
    conversation.reset(SettingsReset())
    conversation.ask_groups(1)
    return conversation


def asked_to_send() -> Conversation:
    conversation = Conversation()
    conversation.send_plan(1, Plan())
    return conversation


def taken(conversation: Conversation, buffer: bytes) -> object:
    """Return what the conversation makes of a message, the declared error included."""
    try:
        return conversation.receive(buffer)
    except BadMessage as error:
        return error


ALLOWED = (
    BadMessage,
    PlanCommitted,
    PlanConfirmed,
    PlanRefused,
    PortChanged,
    SwitchRead,
    MonitorStarted,
    MonitorRefused,
    FlowsChanged,
    GroupsRead,
    GroupsTouched,
    PortsRead,
    ResetRefused,
    NoneType,
)


@hypothesis.given(
    st.binary(max_size=200), st.sampled_from([asked_to_read, asked_to_send, asked_to_watch, Conversation])
)
@examples(300)
def test_any_bytes_are_a_message_or_a_bad_one(buffer: bytes, begun: Callable[[], Conversation]) -> None:
    assert isinstance(taken(begun(), buffer), ALLOWED)


# The header is right and names a request of ours, so that the garbage reaches the innermost parsers.
replies_under_a_good_header = st.builds(
    messages.message,
    st.sampled_from(list(Type)),
    st.one_of(st.integers(FIRST_XID, FIRST_XID + 5), st.just(0)),
    st.binary(max_size=300)
    | st.builds(
        lambda part, more, rest: struct.pack("!HHI", part, more, 0) + rest,
        st.sampled_from([1, 7, 10, 13, 14]),
        st.integers(0, 1),
        st.binary(max_size=300),
    ),
)


@hypothesis.given(
    replies_under_a_good_header,
    st.sampled_from([asked_to_read, asked_to_send, asked_to_watch, asked_for_settings]),
)
@examples(600)
def test_garbage_under_a_good_header_is_a_message_or_a_bad_one(
    buffer: bytes, begun: Callable[[], Conversation]
) -> None:
    assert isinstance(taken(begun(), buffer), ALLOWED)


@hypothesis.given(st.data())
@examples(300)
def test_a_good_reply_with_bytes_changed_is_a_message_or_a_bad_one(data: st.DataObject) -> None:
    entry = data.draw(st.sampled_from([FLOW, encode_port(4), bytes.fromhex("0008010000000063")]))
    part = {len(FLOW): 1, 40: 13, 8: 7}[len(entry)]
    good = messages.message(Type.MULTIPART_REPLY, FIRST_XID, struct.pack("!HHI", part, 0, 0) + entry * 2)
    spoilt = bytearray(good)
    for at in data.draw(st.lists(st.integers(8, len(good) - 1), max_size=3)):
        spoilt[at] = data.draw(st.integers(0, 255))
    assert isinstance(taken(asked_to_read(), bytes(spoilt)), ALLOWED)


@pytest.mark.parametrize(
    ("parse", "buffer", "complaint"),
    [
        (replies.header_of, b"\x05\x15", "truncated header"),
        (replies.header_of, bytes.fromhex("0515000900000001"), "header says 9 bytes, message has 8"),
        (replies.parse_multipart, bytes(16), "not a multipart reply"),
        (lambda body: list(replies.parse_flows(body)), bytes(20), "truncated entry"),
        (lambda body: list(replies.parse_flows(body)), bytes(56), "entry says 0 bytes, 56 are left"),
        (lambda body: list(replies.parse_ports(body)), bytes(20), "truncated port"),
        (lambda body: list(replies.parse_ports(body)), bytes(40), "port longer than its message"),
        (replies.parse_port_status, bytes(20), "truncated port status"),
        (lambda body: list(replies.parse_tables(body)), bytes(7), "truncated entry"),
        (replies.parse_config, bytes(11), "truncated configuration"),
        (replies.parse_error, bytes(11), "truncated error"),
        (replies.parse_bundle_control, bytes(15), "truncated bundle control"),
    ],
)
def test_lengths_that_do_not_add_up_are_named(
    parse: Callable[[bytes], object], buffer: bytes, complaint: str
) -> None:
    with pytest.raises(BadMessage, match=complaint):
        parse(buffer)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ("80000a", "truncated match field"),
        ("80000a020800ff", "truncated match field"),
        ("80000aff0800", "match field longer than its match"),
    ],
)
def test_a_match_whose_fields_do_not_fill_it_is_refused(fields: str, complaint: str) -> None:
    entry = encode_flow_stats_unchecked(bytes.fromhex(fields))
    with pytest.raises(BadMessage, match=complaint):
        list(replies.parse_flows(entry))


def encode_flow_stats_unchecked(fields: bytes) -> bytes:
    return encode_flow_stats((7, 5, b""), HeldFlow(1, fields, b""))


def test_a_match_that_claims_more_than_its_flow_is_refused() -> None:
    entry = bytearray(FLOW)
    entry[50:52] = (2_000).to_bytes(2)
    with pytest.raises(BadMessage, match="match longer than its flow"):
        list(replies.parse_flows(bytes(entry)))


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[Path]:
    """A switch's management socket, with `answer` on the other side of the first connection."""
    with tempfile.TemporaryDirectory(prefix="pt-") as directory, socket.socket(socket.AF_UNIX) as listener:
        path = Path(directory) / "s1.mgmt"
        listener.bind(str(path))
        listener.listen()

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield path
        finally:
            thread.join(10)
            assert not thread.is_alive()


def in_pieces(switch: FakeSwitch, size: int) -> Callable[[socket.socket], None]:
    """Answer like a switch that sends `size` bytes at a time, and asks for echoes in between."""

    def answer(connection: socket.socket) -> None:
        pending = b""
        while data := connection.recv(1 << 16):
            pending += data
            while len(pending) >= 8 and len(pending) >= (length := int.from_bytes(pending[2:4])):
                asked, pending = pending[:length], pending[length:]
                answers = b"".join(switch.receive(asked))
                if asked[1] == Type.MULTIPART_REQUEST:
                    answers = messages.message(_ECHO_REQUEST, 9, b"are you there") + answers
                for at in range(0, len(answers), size):
                    connection.sendall(answers[at : at + size])

    return answer


@pytest.mark.parametrize("size", [1, 3, 7, 1 << 16])
def test_replies_split_anywhere_give_the_same_state(size: int) -> None:
    switch = FakeSwitch()
    for priority in range(120):
        switch.tables.flows[(7, priority, b"")] = HeldFlow(1, b"", b"")
    with serving(in_pieces(switch, size)) as path, SwitchClient(path, timeout_s=10) as client:
        state = client.read()
        assert isinstance(state, SwitchRead)
        assert sorted(key.priority for key in state.installed.flows) == list(range(120))
        assert [port.number for port in state.ports] == list(range(1, 12))


def test_a_switch_that_hangs_up_in_the_middle_of_a_reply_is_an_error_of_the_connection() -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(messages.message(Type.BARRIER_REPLY, 1)[:5])
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):
            pass

    with (
        serving(answer) as path,
        SwitchClient(path, timeout_s=10) as client,
        pytest.raises(ConnectionError, match="closed the connection"),
    ):
        client.read()


def test_a_header_that_claims_less_than_itself_is_refused() -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(bytes.fromhex("0515000300000001"))
        while connection.recv(1 << 16):
            pass

    with (
        serving(answer) as path,
        SwitchClient(path, timeout_s=10) as client,
        pytest.raises(BadMessage, match="header says 3 bytes"),
    ):
        client.read()
