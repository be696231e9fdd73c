"""Sessions are counted by who answers them."""

import hypothesis
import pytest
from hypothesis import strategies as st

from controller.pools.conntrack import (
    LOOK_S,
    Counts,
    count_sessions,
    pause_after,
    read_connections,
    without_ended,
)
from tests.examples import examples

_ENDS = "orig=(src=198.51.100.10,dst=203.0.113.10,sport=40000,dport=25),reply=(...)"
MEMBER = "02:cc:00:00:00:01"
_LABEL = "labels=0x2bb0000000102cc00000001"


def line(
    zone: int = 1,
    states: tuple[str, str] = ("ESTABLISHED", "ESTABLISHED"),
    protocol: str = "tcp",
    label: str = _LABEL,
) -> str:
    initiator, responder = states
    flags = "flags_orig=0,flags_reply=0"
    info = f"protoinfo=(state_orig={initiator},state_reply={responder},{flags})"
    return f"{protocol},{_ENDS},id=0,zone={zone},status=0,{label},{info}"


@pytest.mark.parametrize("zone", [1, 11, 3, 23])
def test_an_open_session_counts_for_its_responder(zone: int) -> None:
    assert count_sessions([line(zone), line(zone, ("CLOSE_WAIT", "CLOSE_WAIT"))]) == Counts({MEMBER: 2})


@pytest.mark.parametrize(
    "not_one",
    [
        line(states=("TIME_WAIT", "TIME_WAIT")),
        line(states=("FIN_WAIT_2", "FIN_WAIT_2")),
        line(states=("CLOSING", "ESTABLISHED")),
        line(states=("CLOSING", "CLOSING")),
        line(zone=9),
        line(protocol="udp"),
        line(label="mark=1"),
        "",
        "garbage",
    ],
)
def test_what_is_no_open_session_of_a_pool_does_not_count(not_one: str) -> None:
    assert count_sessions([not_one]) == Counts({})


@pytest.mark.parametrize("zone", [2, 12])
def test_the_second_half_of_a_mail_session_counts_apart_for_the_tenants_gateway(zone: int) -> None:
    label = "labels=0x2cc0000000102aa00000001"
    halves = [line(zone, label=label), line(zone, ("SYN_SENT", "SYN_SENT"), label=label)]
    assert count_sessions(halves) == Counts({}, relayed={"02:aa:00:00:00:01": 1})


@pytest.mark.parametrize(
    ("states", "is_answered"),
    [
        pytest.param(("SYN_SENT", "CLOSED"), False, id="a SYN"),
        pytest.param(("ESTABLISHED", "SYN_SENT"), True, id="a SYN and its answer"),
        pytest.param(("SYN_SENT", "SYN_SENT"), False, id="a SYN, told by the kernel"),
        pytest.param(("SYN_RECV", "SYN_RECV"), True, id="a SYN and its answer, told by the kernel"),
    ],
)
def test_a_half_open_connection_is_no_session_since_anybody_can_begin_it_as_somebody_else(
    states: tuple[str, str], is_answered: bool
) -> None:
    (connection,) = read_connections([line(states=states)])
    assert (connection.is_open, connection.is_answered, connection.is_established) == (
        True,
        is_answered,
        False,
    )
    assert count_sessions([line(states=states)]) == Counts({}, {MEMBER: 1} if is_answered else {})


def test_sessions_that_have_ended_are_not_read_and_delay_the_next_look_little() -> None:
    """Who opens and ends a thousand sessions a second leaves 45,000 lines; members are full meanwhile."""
    still_open, reset = line(), line(states=("TIME_WAIT", "TIME_WAIT"))
    ended = line(states=("FIN_WAIT_2", "FIN_WAIT_2"))
    assert without_ended([ended, still_open, reset]) == [still_open]
    assert pause_after(10, 10) == LOOK_S
    assert pause_after(listed=45_000, still_open=100) < 5
    assert pause_after(listed=45_000, still_open=45_000) > 10


@hypothesis.given(st.lists(st.text(max_size=200)))
@examples(50)
def test_any_text_is_survived(lines: list[str]) -> None:
    count_sessions(lines)
