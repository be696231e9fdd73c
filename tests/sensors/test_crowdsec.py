"""What CrowdSec's API says, to what the controller shall hold."""

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.wire.codec import from_media, to_media
from common.wire.decisions import Action, OpenSessions, RequestedDecision
from services.sensors.crowdsec.decisions import BadStream, Bans, parse_duration
from services.sensors.settings import CrowdSec, Meaning

MEANING = Meaning(Action.DECOY, 0.8, "", False, OpenSessions.KEEP)
SETTINGS = CrowdSec(
    "http://127.0.0.1:8080",
    Path("/key"),
    10.0,
    {"ban": Action.DROP, "captcha": Action.DECOY},
    Action.WATCH,
    frozenset(),
    MEANING,
)
OURS = (ip_network("203.0.113.0/26"),)


def said(value: str, kind: str = "ban", duration: str = "4h", **more: Any) -> dict[str, Any]:
    scope = "Range" if "/" in value else "Ip"
    return {"value": value, "type": kind, "duration": duration, "scope": scope, "scenario": "s", **more}


def bans_of(*records: dict[str, Any], settings: CrowdSec = SETTINGS) -> Bans:
    bans = Bans(settings)
    bans.begin({"new": list(records), "deleted": None}, 0.0, OURS)
    return bans


def held(bans: Bans, now: float = 0.0) -> dict[object, object]:
    return {each.value: each.action.value for each in bans.decisions(now)}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3h59m49.2s", 14_389.2),
        ("-1m2s", -62.0),
        ("87.5ms", 0.0875),
        ("10µs", 1e-5),
        ("5ns", 5e-9),
        ("0", 0.0),
        ("167h59m59s", 604_799.0),
        ("", None),
        ("4", None),
        ("4d", None),
        ("h", None),
        ("- 4h", None),
        ("9" * 400 + "h", None),
    ],
)
def test_durations_are_those_of_go(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == (None if seconds is None else pytest.approx(seconds))


def test_types_become_actions_as_the_settings_say() -> None:
    bans = bans_of(said("192.0.2.1"), said("192.0.2.0/24", "captcha"), said("192.0.2.9", "mfa"))
    assert held(bans) == {"192.0.2.1": "drop", "192.0.2.0/24": "decoy", "192.0.2.9": "watch"}


def test_other_scopes_and_what_has_ended_are_passed_over() -> None:
    bans = bans_of(said("FR", scope="Country"), said("64496", scope="AS"), said("192.0.2.1", duration="-2s"))
    assert held(bans) == {}


def test_what_is_absurd_private_or_a_tenants_own_is_left_out() -> None:
    absurd = ("0.0.0.0/0", "10.1.2.3", "::/0", "203.0.113.10", "203.0.113.0/24", "rubbish", "127.0.0.1")
    bans = bans_of(*map(said, absurd))
    assert held(bans) == {}
    assert bans.left_out == len(absurd)


def test_a_decision_ends_with_its_duration() -> None:
    bans = bans_of(said("192.0.2.1", duration="10s"))
    assert bans.decisions(4.0)[0].duration_s == 6
    assert held(bans, 10.0) == {}
    bans.expire(10.0)
    assert len(bans) == 0


def test_the_strongest_of_several_decisions_on_one_value_counts_and_the_other_stays_when_it_goes() -> None:
    bans = bans_of(said("192.0.2.1"), said("192.0.2.1", "captcha", "8h"))
    assert held(bans) == {"192.0.2.1": "drop"}
    changes = bans.apply({"new": None, "deleted": [said("192.0.2.1", duration="-1s")]}, 1.0, OURS)
    assert changes.gone == changes.new == (ip_network("192.0.2.1"),)
    assert held(bans, 1.0) == {"192.0.2.1": "decoy"}


def test_deleting_what_was_never_heard_of_changes_nothing() -> None:
    bans = bans_of(said("192.0.2.1"))
    changes = bans.apply({"new": None, "deleted": [said("192.0.2.2"), said("junk")]}, 1.0, OURS)
    assert (changes.gone, changes.new) == ((), ())


def test_only_origins_that_the_settings_name_are_taken() -> None:
    settings = replace(SETTINGS, other=None, origins=frozenset({"cscli"}))
    bans = bans_of(said("192.0.2.1", origin="CAPI"), said("192.0.2.2", origin="cscli"), settings=settings)
    assert held(bans) == {"192.0.2.2": "drop"}


def test_a_simulated_decision_stays_one() -> None:
    assert bans_of(said("192.0.2.1", simulated=True)).decisions(0.0)[0].simulated


def test_what_an_attacker_could_get_into_a_scenario_is_plain_text() -> None:
    (found,) = bans_of(said("192.0.2.1", scenario="a\n\x1b[2Jb" + "x" * 500)).decisions(0.0)
    assert from_media(RequestedDecision, to_media(found)) == found, "the controller reads it unchanged"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["new", "deleted", "value", "scope", "type", "duration"]), inner
            )
        ),
        max_leaves=20,
    )
)
def test_any_answer_is_decisions_or_a_bad_stream(stream: Any) -> None:
    bans = Bans(SETTINGS)
    try:
        bans.begin(stream, 0.0, OURS)
        bans.apply(stream, 1.0, OURS)
    except BadStream:
        return
    assert all(each.duration_s for each in bans.decisions(1.0))
