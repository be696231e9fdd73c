"""Sessions are counted by who answers them."""

import hypothesis
import pytest
from hypothesis import strategies as st

from controller.pools.conntrack import LOOK_S, count_sessions, pause_after, without_ended

_ENDS = "orig=(src=198.51.100.10,dst=203.0.113.10,sport=40000,dport=25),reply=(...)"
_LABEL = "labels=0x2bb0000000102cc00000001"


def line(zone: int = 1, state: str = "ESTABLISHED", protocol: str = "tcp", label: str = _LABEL) -> str:
    return f"{protocol},{_ENDS},zone={zone},{label},protoinfo=(state={state})"


@pytest.mark.parametrize("zone", [1, 11, 3, 23])
def test_an_open_session_counts_for_its_responder(zone: int) -> None:
    assert count_sessions([line(zone), line(zone, "SYN_RECV")]) == {"02:cc:00:00:00:01": 2}


@pytest.mark.parametrize(
    "not_one",
    [
        line(state="TIME_WAIT"),
        line(state="CLOSING"),
        line(state="SYN_SENT"),
        line(zone=2),
        line(zone=12),
        line(zone=9),
        line(protocol="udp"),
        line(label="mark=1"),
        "",
        "garbage",
    ],
)
def test_what_is_no_open_session_of_a_pool_does_not_count(not_one: str) -> None:
    assert count_sessions([not_one]) == {}


def test_sessions_that_have_ended_are_not_read_and_delay_the_next_look_little() -> None:
    """Who opens and ends a thousand sessions a second leaves 45,000 lines; members are full meanwhile."""
    still_open, ended = line(), line(state="TIME_WAIT")
    assert without_ended([ended, still_open, ended]) == [still_open]
    assert pause_after(10, 10) == LOOK_S
    assert pause_after(listed=45_000, still_open=100) < 5
    assert pause_after(listed=45_000, still_open=45_000) > 10


@hypothesis.given(st.lists(st.text(max_size=200)))
@hypothesis.settings(max_examples=50)
def test_any_text_is_survived(lines: list[str]) -> None:
    count_sessions(lines)
