"""Cowrie's events become ours, whatever is in them; without any Cowrie."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.journal.events import Event
from services.cowrie.translate import (
    Accused,
    CowrieOutcome,
    Ended,
    Noted,
    Translator,
    Typed,
    Uploaded,
)
from services.decoy.events import Encounter
from services.decoy.journal import DecoyEvent

SOURCE, SERVER = ip_address("198.51.100.66"), ip_address("203.0.113.10")
HIM = Encounter("acme", SOURCE, 40_000, SERVER, 22, "ssh", "s" * 16, "t" * 16)
CONNECT = {
    "eventid": "cowrie.session.connect",
    "session": "c0",
    "src_ip": str(HIM.source),
    "src_port": HIM.source_port,
    "dst_ip": str(HIM.destination),
    "dst_port": HIM.port,
}


def begun() -> Translator:
    translator = Translator()
    list(translator.expect(HIM))
    list(translator.hear(CONNECT))
    return translator


def hear(translator: Translator, name: str, **facts: Any) -> list[CowrieOutcome]:
    return list(translator.hear({"eventid": f"cowrie.{name}", "session": "c0", **facts}))


def notes(outcomes: Iterable[CowrieOutcome]) -> list[tuple[Event, dict[str, Any]]]:
    return [(each.event, dict(each.details)) for each in outcomes if isinstance(each, Noted)]


def test_a_connection_is_told_before_cowrie_says_anything() -> None:
    outcomes = list(Translator().expect(HIM))
    assert outcomes == [
        Noted(HIM, DecoyEvent.ATTACKER_CONNECTED, {}),
        Accused(HIM, "decoy-connection", "ssh connection"),
    ]


def test_a_key_that_is_offered_is_a_login_by_its_fingerprint() -> None:
    outcomes = hear(begun(), "login.failed", username="root", fingerprint="aa:bb")
    assert notes(outcomes) == [
        (DecoyEvent.LOGIN_TRIED, {"user": "root", "mechanism": "publickey", "key": "aa:bb", "success": False})
    ]
    assert outcomes[1] == Accused(HIM, "decoy-login", "refused: root/aa:bb")


def test_a_thousand_commands_are_all_noted_but_no_thousand_pieces_of_evidence() -> None:
    translator = begun()
    outcomes = [each for _ in range(1_000) for each in hear(translator, "command.input", input="id")]
    assert len(notes(outcomes)) == 1_000
    assert sum(isinstance(each, Accused) for each in outcomes) == 100


def test_an_upload_counts_only_with_a_real_hash() -> None:
    assert hear(begun(), "session.file_upload", shasum="../../etc/passwd", filename="x") == []
    good = hear(begun(), "session.file_upload", shasum="a" * 64, filename="x")
    assert good[0] == Uploaded(HIM, "a" * 64, "x")


def test_nothing_is_heard_of_a_session_that_was_never_handed_over() -> None:
    translator = Translator()
    assert list(translator.hear(CONNECT)) == []
    assert hear(translator, "command.input", input="id") == []


def test_a_session_ends_once() -> None:
    translator = begun()
    assert hear(translator, "session.closed", duration_ms=1_500)[-1] == Ended(HIM)
    assert hear(translator, "session.closed", duration_ms=1_500) == []
    assert list(translator.break_off("dead")) == []
    assert translator.open == 0


def test_who_waits_is_kept_when_cowrie_dies_and_others_are_closed() -> None:
    translator = begun()
    other = replace(HIM, source_port=1, session="u" * 16)
    list(translator.expect(other))
    assert list(translator.break_off("dead")) == [
        Noted(HIM, DecoyEvent.ATTACKER_DISCONNECTED, {"reason": "dead"}),
        Ended(HIM),
    ]
    assert translator.open == 1
    assert list(translator.drop(other, "late")) == [
        Noted(other, DecoyEvent.ATTACKER_DISCONNECTED, {"reason": "late"}),
        Ended(other),
    ]


@pytest.mark.parametrize(("direction", "from_attacker"), [(1, True), (2, False), (3, True)])
def test_what_goes_over_a_terminal_is_recorded_with_its_way(direction: int, from_attacker: bool) -> None:
    event = {"eventid": "postern.tty", "session": "c0", "at": 1.5, "direction": direction, "data": "aGk="}
    assert list(begun().hear(event)) == [Typed(HIM, 1.5, from_attacker, b"hi")]


_NAMES = st.sampled_from(
    [
        "postern.tty",
        "cowrie.session.connect",
        "cowrie.session.closed",
        "cowrie.login.success",
        "cowrie.login.failed",
        "cowrie.command.input",
        "cowrie.session.file_upload",
        "cowrie.session.file_download",
        "cowrie.client.kex",
        "cowrie.direct-tcpip.request",
        "cowrie.telnet.exploit_attempt",
        "cowrie.nonsense",
    ]
)
_VALUES = st.none() | st.integers() | st.text() | st.floats() | st.lists(st.text()) | st.booleans()
_KEYS = st.sampled_from(
    ["username", "password", "input", "shasum", "data", "at", "duration_ms", "src_ip", "src_port", "url"]
)


@given(st.lists(st.tuples(_NAMES, st.dictionaries(_KEYS, _VALUES))))
def test_no_garbage_makes_it_fail(events: list[tuple[Event, dict[str, Any]]]) -> None:
    translator = begun()
    for name, facts in events:
        list(translator.hear({**facts, "eventid": name, "session": "c0"}))
    assert translator.open <= 1
