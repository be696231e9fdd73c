"""Decisions in the lab: who is decided about meets a decoy or nothing; everybody else works on."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from controller.api.client import ApiClient
from lab import frames, probes
from lab.frames import Segment
from lab.lab import Lab
from lab.services.controllers import api_address
from tests.lab.conftest import POLICY, await_in_step
from tests.lab.test_cut_sessions import cut_within
from tests.lab.test_sessions_held import apply, edited, sessions

pytestmark = pytest.mark.lab

_PROMPTLY_S = 5.0
_WEB = ("203.0.113.10", 80)
_ATTACKER = {4: "198.51.100.66", 6: "2001:db8:bb:6::66"}
families = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture
def api(lab: Lab) -> Iterator[ApiClient]:
    api = ApiClient(api_address(lab.places))
    yield api
    for origin in ("api", "bulk", "postern"):
        api.delete(f"/v1/decisions?origin={origin}")
    for allowance in api.get("/v1/allow"):
        api.delete(f"/v1/allow/{allowance['id']}")


def decide(api: ApiClient, value: str, action: str = "decoy", **more: Any) -> int:
    """Return the number of a new decision, once the switches carry it out."""
    answer = api.post("/v1/decisions", {"decisions": [{"value": value, "action": action, **more}]})
    assert answer["refused"] == []
    await_in_step(api)
    number: int = answer["accepted"][0]["id"]
    return number


@families
def test_a_decided_sources_packets_arrive_at_the_decoy_under_the_servers_own_address(
    lab: Lab, api: ApiClient, family: int
) -> None:
    decide(api, _ATTACKER[family])
    server = {4: "203.0.113.10", 6: "2001:db8:a::10"}[family]
    with frames.watching(lab.places.pin("decoy1"), "decoy1-eth0", _ATTACKER[family], 5.0) as seen:
        with suppress(OSError):
            probes.connect(lab.places.pin("attacker"), server, 25, 1.0).close()
        seen()


def test_open_sessions_stay_where_they_are_by_default(lab: Lab, api: ApiClient) -> None:
    with sessions(lab, 4, "attacker") as opened:
        decide(api, _ATTACKER[4])
        decide(api, "2001:db8:bb:6::/64")
        for session in opened:
            session.finish()


def test_open_sessions_are_cut_where_the_decision_says_so_and_others_go_on(lab: Lab, api: ApiClient) -> None:
    with sessions(lab, 6, "attacker") as attackers, sessions(lab, 6) as others:
        for value in (_ATTACKER[4], _ATTACKER[6]):
            decide(api, value, sessions="cut")
        begun = time.monotonic()
        assert len(cut_within(attackers, _PROMPTLY_S)) == len(attackers)
        print(f"cut within {time.monotonic() - begun:.2f} s")
        for session in others:
            session.finish()


def test_nobody_else_notices_a_hundred_decisions_a_second(lab: Lab, api: ApiClient) -> None:
    with sessions(lab, 12) as held:
        for number in range(100):
            decide(api, f"9.1.{number}.1", "drop", origin="bulk")
        chunk = [
            {"value": f"9.2.{n // 256}.{n % 256}", "action": "drop", "origin": "bulk"} for n in range(5_000)
        ]
        api.post("/v1/decisions", {"decisions": chunk})
        with sessions(lab, 12) as fresh:
            for session in (*held, *fresh):
                session.finish()


def test_an_allowed_source_works_on_whatever_is_decided(lab: Lab, api: ApiClient) -> None:
    decide(api, "198.51.100.10", "drop")
    decide(api, "2001:db8:bb::10", "drop")
    for value in ("198.51.100.0/24", "2001:db8:bb::/48"):
        api.post("/v1/allow", {"value": value, "comment": "the lab"})
    with sessions(lab, 4) as opened:
        for session in opened:
            session.finish()


def test_an_end_of_a_decision_is_felt_at_once(lab: Lab, api: ApiClient) -> None:
    pin = lab.places.pin("attacker")
    number = decide(api, _ATTACKER[4], "drop")
    with pytest.raises(TimeoutError):
        probes.connect(pin, "203.0.113.10", 25, 0.5).close()
    assert api.delete(f"/v1/decisions/{number}")["is_confirmed"]
    await_in_step(api)
    probes.connect(pin, "203.0.113.10", 25, 5.0).close()


def test_a_source_that_completes_a_handshake_nowhere_is_never_decided_about(lab: Lab, api: ApiClient) -> None:
    """Forged first packets, of somebody who never knocked himself; no other test's mail comes from there."""
    victim = "198.51.100.91"
    forged = [
        Segment("02:bb:00:00:00:01", "02:50:00:00:00:01", victim, "203.0.113.50", 20_000 + n, 1 + n)
        for n in range(400)
    ]
    frames.send(lab.places.pin("bbr"), "bbr-eth0", [each.to_frame() for each in forged])
    deadline = time.monotonic() + 60
    while not (known := api.get(f"/v1/sources/{victim}"))["unproven"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert known["score"] == 0
    assert known["decisions"] == []


def test_far_too_many_connections_of_one_source_are_told_and_decide_nothing(lab: Lab, api: ApiClient) -> None:
    flood(lab, ["198.51.100.77"] * 300)
    known = awaited(lambda: api.get("/v1/sources/198.51.100.77"), lambda known: known["unproven"] > 0)
    assert [fact["kind"] for fact in known["evidence"]] == ["flood"]
    assert (known["score"], known["decisions"]) == (0, [])


def test_a_flood_to_a_tenant_with_a_limit_is_told_while_others_mail_goes_on(lab: Lab, api: ApiClient) -> None:
    apply(api, edited("  acme:\n", "  acme:\n    limit_per_second: 20\n"))
    try:
        deadline = time.monotonic() + 60
        number = 0
        while not (floods := api.get("/v1/status")["floods"]):
            assert time.monotonic() < deadline
            flood(lab, [f"198.18.{number % 250}.{last}" for last in range(1, 200)])
            number += 1
            assert probes.smtp_banner(lab.places.pin("sender"), "203.0.113.74") == ""
        assert floods[0].startswith("acme is flooded: ")
        awaited(lambda: api.get("/v1/status")["floods"], lambda floods: floods == [])
    finally:
        apply(api, POLICY.read_text(encoding="utf-8"))


def flood(lab: Lab, sources: list[str]) -> None:
    """First packets from outside, that nobody goes on with."""
    router, edge = "02:bb:00:00:00:01", "02:50:00:00:00:01"
    segments = [
        Segment(router, edge, source, "203.0.113.10", 20_000 + number, 25)
        for number, source in enumerate(sources)
    ]
    frames.send(lab.places.pin("bbr"), "bbr-eth0", [each.to_frame() for each in segments])


def awaited(ask: Callable[[], Any], is_so: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 60
    while not is_so(answer := ask()):
        assert time.monotonic() < deadline, answer
        time.sleep(0.2)
    return answer
