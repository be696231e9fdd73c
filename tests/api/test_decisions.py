"""Decisions over the API: made, explained, ended, with what the switch confirms."""

from typing import Any

import pytest

from common.wire.codec import from_media, unknown_keys
from common.wire.decisions import RequestedDecision
from controller.policy.model import Protocol
from controller.suspicion.decision import Scope
from tests.api.conftest import Northbound
from tests.fake_switch import FakeSwitch
from tests.world import DEMO, UTC, World

DECOY = {"value": "198.51.100.66", "action": "decoy", "duration_s": 60, "origin": "test"}


def make(api: Northbound, *decisions: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = api.http.simulate_post("/v1/decisions", json={"decisions": decisions}).json
    return answer


def cookies(switch: FakeSwitch) -> list[int]:
    return [flow.cookie & 0xFFFF for flow in switch.tables.flows.values() if flow.cookie >> 48 == 0x9058]


def test_a_decision_is_on_the_switch_and_its_receipt_says_so(api: Northbound) -> None:
    made = make(api, DECOY)["accepted"][0]
    assert api.channel is not None
    assert cookies(api.channel.switch) == [made["id"]]
    receipt = api.http.simulate_get(f"/v1/decisions/{made['id']}").json["receipt"]
    assert receipt["cookie"] == "0x9058000000000001"
    (row,) = receipt["switches"]
    assert (row["switch"], row["flows"], row["confirmed"], row["packets"]) == ("s1", 1, True, 0)


def test_a_deleted_decision_is_gone_from_the_switch_when_the_answer_comes(api: Northbound) -> None:
    number = make(api, DECOY)["accepted"][0]["id"]
    answer = api.http.simulate_delete(f"/v1/decisions/{number}").json
    assert api.channel is not None
    assert cookies(api.channel.switch) == []
    assert (answer["deleted"], answer["is_confirmed"]) == (1, True)
    assert answer["receipts"][0]["receipt"]["switches"][0]["packets"] == 0


def test_good_decisions_of_a_request_are_made_and_bad_ones_named(api: Northbound) -> None:
    answer = make(api, {**DECOY, "action": "nuke"}, DECOY, {**DECOY, "value": "0.0.0.0/0"}, {"value": 7})
    assert answer["accepted_count"] == 1
    assert [(each["index"], bool(each["remedy"])) for each in answer["refused"]] == [
        (0, True),
        (2, True),
        (3, True),
    ]


def test_a_sensor_of_an_older_release_calls_the_protocol_transport(api: Northbound) -> None:
    older = {**DECOY, "tenant": "", "protocol": "", "transport": "tcp", "port": 22, "confidence": None}
    (made,) = make(api, older)["accepted"]
    assert (made["protocol"], made["port"], made["confidence"]) == ("tcp", 22, 1.0)


def test_a_key_of_a_newer_sensor_is_ignored_and_a_newer_format_refused(api: Northbound) -> None:
    newer = [{**DECOY, "format": 1, "mood": "bad"}, {**DECOY, "format": 2}]
    answer = make(api, *newer)
    assert (answer["accepted_count"], answer["refused_count"]) == (1, 1)
    (refused,) = answer["refused"]
    assert refused == {
        "index": 1,
        "error": "format: is 2, this program reads 1",
        "remedy": "upgrade the program that reads this",
    }


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("action", "nuke", "action: unknown value 'nuke'; allowed: watch, limit, decoy, drop"),
        ("action", ["drop"], "action: unknown value ['drop']; allowed: watch, limit, decoy, drop"),
        ("protocol", "sctp", "protocol: unknown value 'sctp'; allowed: tcp, udp, icmp"),
        ("transport", 0, "protocol: unknown value 0; allowed: tcp, udp, icmp"),
        ("port", 65_536, "port: 65536 is outside 0..65535"),
        ("port", True, "port: a whole number is expected"),
        ("duration_s", -1, "duration_s: -1.0 is outside 0..10000000000"),
        ("confidence", 10**400, "confidence: int too large to convert to float"),
        ("simulated", "false", "simulated: true or false is expected"),
        ("tenant", "a" * 81, "tenant: is longer than 80 characters"),
        ("origin", "a\x1b[2J", "origin: has characters that cannot be printed"),
        ("value", "198.51.100.66%eth0", "'198.51.100.66%eth0' is not a valid address or prefix"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(api: Northbound, key: str, value: object, error: str) -> None:
    (refused,) = make(api, {**DECOY, key: value})["refused"]
    assert refused["error"] == error
    assert refused["remedy"]


@pytest.mark.parametrize("protocol", Protocol)
def test_a_decision_as_it_is_shown_can_be_made_again(api: Northbound, protocol: Protocol) -> None:
    (made,) = make(api, {**DECOY, "protocol": protocol.value, "simulated": True, "sessions": "cut"})[
        "accepted"
    ]
    (again,) = make(api, made)["accepted"]
    moving = ("id", "since", "until")
    assert {**made, **dict.fromkeys(moving)} == {**again, **dict.fromkeys(moving)}
    record = from_media(RequestedDecision, made)
    assert unknown_keys(made, record) == moving


def test_every_mistake_of_a_decision_is_named_at_once(api: Northbound) -> None:
    (refused,) = make(api, {**DECOY, "action": "nuke", "port": "22"})["refused"]
    assert refused["error"].startswith("action: unknown value 'nuke'")
    assert refused["error"].endswith("; port: a whole number is expected")


def test_a_long_reason_is_cut_and_shown_without_control_characters(api: Northbound) -> None:
    (made,) = make(api, {**DECOY, "reason": "\x1b[2J" + "x" * 500})["accepted"]
    assert made["reason"] == "?[2J" + "x" * 196


def test_what_is_no_list_of_decisions_is_a_bad_request(api: Northbound) -> None:
    bodies: tuple[object, ...] = ([], {"decisions": "all"}, {"decision": []}, 7)
    for body in bodies:
        assert api.http.simulate_post("/v1/decisions", json=body).status_code == 400


def test_a_decision_expires_by_itself(api: Northbound) -> None:
    make(api, DECOY)
    api.world.tick(61.0)
    assert api.channel is not None
    api.world.settle(api.channel)
    assert cookies(api.channel.switch) == []
    assert api.http.simulate_get("/v1/decisions").json["count"] == 0


def test_decisions_survive_a_restart_and_nothing_is_sent_again(api: Northbound) -> None:
    make(api, DECOY)
    assert api.channel is not None
    again = World(api.world.store, UTC + 10.0 - 500.0)
    again.now = 500.0
    again.start()
    channel = again.connect(switch=api.channel.switch)
    again.settle(channel)
    assert channel.asked == ["read"]
    again.tick(51.0)
    again.settle(channel)
    assert cookies(channel.switch) == []


def test_a_full_disk_stops_no_decision(api: Northbound) -> None:
    api.world.store.failure = "the disk is full"
    assert make(api, DECOY)["accepted_count"] == 1
    assert api.channel is not None
    assert cookies(api.channel.switch) == [1]
    assert api.world.events("DecisionsNotStored")


def test_an_allowed_source_stands_above_every_decision(api: Northbound) -> None:
    make(api, DECOY)
    allowed = {"value": "198.51.100.0/24", "comment": "our auditors"}
    number = api.http.simulate_post("/v1/allow", json=allowed).json["id"]
    told = api.http.simulate_get("/v1/sources/198.51.100.66").json
    assert told["consequence"].startswith("passes: the source is on the allow-list")
    assert api.http.simulate_delete(f"/v1/allow/{number}").status_code == 200
    assert "reaches a decoy" in api.http.simulate_get("/v1/sources/198.51.100.66").json["consequence"]


def test_an_allowance_wants_a_comment(api: Northbound) -> None:
    for comment in (None, "", 7):
        response = api.http.simulate_post("/v1/allow", json={"value": "198.51.100.66", "comment": comment})
        assert response.status_code == 400
        assert "comment: " in response.json["description"]


def test_an_allowance_of_a_length_that_is_none_is_refused(api: Northbound) -> None:
    for duration in (-1, True, "4h", None):
        asked = {"value": "198.51.100.66", "comment": "our auditors", "duration_s": duration}
        assert api.http.simulate_post("/v1/allow", json=asked).status_code == 400
    assert api.http.simulate_get("/v1/allow").json == []


def test_a_comment_is_cut_and_shown_without_control_characters(api: Northbound) -> None:
    asked = {"value": "198.51.100.66", "comment": "\x1b[2J\n" + "x" * 500}
    assert api.http.simulate_post("/v1/allow", json=asked).json["comment"] == "?[2J?" + "x" * 195


def test_evidence_that_proves_its_source_becomes_a_decision(api: Northbound) -> None:
    fact = {"kind": "decoy-login", "source": "198.51.100.66", "detail": "root\n\x1b[31m/ 123456", "port": 22}
    assert api.http.simulate_post("/v1/evidence", json={"evidence": [fact]}).json["accepted"] == 1
    told = api.http.simulate_get("/v1/sources/198.51.100.66").json
    assert "reaches a decoy" in told["consequence"]
    assert told["evidence"][0]["detail"] == "root\\n\\x1b[31m/ 123456"
    assert api.channel is not None
    assert cookies(api.channel.switch) == [1]


def test_evidence_about_a_tenants_own_address_is_nothing(api: Northbound) -> None:
    fact = {"kind": "decoy-login", "source": "203.0.113.10"}
    api.http.simulate_post("/v1/evidence", json={"evidence": [fact]})
    assert api.http.simulate_get("/v1/decisions").json["count"] == 0


def test_evidence_about_an_allowed_source_is_noted_and_nothing_is_decided(api: Northbound) -> None:
    api.http.simulate_post("/v1/allow", json={"value": "198.51.100.66", "comment": "scanner of ours"})
    fact = {"kind": "decoy-login", "source": "198.51.100.66"}
    api.http.simulate_post("/v1/evidence", json={"evidence": [fact]})
    assert api.http.simulate_get("/v1/sources/198.51.100.66").json["score"] > 0
    assert api.http.simulate_get("/v1/decisions").json["count"] == 0


def test_evidence_of_no_kind_is_refused_with_those_that_there_are(api: Northbound) -> None:
    answer = api.http.simulate_post("/v1/evidence", json={"evidence": [{"kind": "x", "source": "9.9.9.9"}]})
    assert "decoy-login" in answer.json["refused"][0]["remedy"]


def test_a_feed_is_put_as_a_whole_and_only_the_difference_is_sent(api: Northbound) -> None:
    def feed(*addresses: str) -> dict[str, Any]:
        decisions = [{"value": each, "action": "drop"} for each in addresses]
        answer: dict[str, Any] = api.http.simulate_put(
            "/v1/origins/feed:x", json={"decisions": decisions}
        ).json
        return answer

    first = feed("198.51.100.1", "198.51.100.2")
    second = feed("198.51.100.2", "198.51.100.3", "nonsense")
    assert (first["added"], first["kept"], first["deleted"]) == (2, 0, 0)
    assert (second["added"], second["kept"], second["deleted"], second["refused_count"]) == (1, 1, 1, 1)
    assert api.channel is not None
    assert len(cookies(api.channel.switch)) == 2


def test_a_decision_about_a_tenant_that_moves_away_follows_him(api: Northbound) -> None:
    make(api, {**DECOY, "tenant": "acme"})
    scope: Scope = next(iter(api.world.core.suspicion.ledger.scopes()))
    assert list(api.world.core.suspicion.keys_of(scope)) == ["s1"]
    assert api.channel is not None
    assert len(cookies(api.channel.switch)) == 1  # one IPv4 prefix; the source is IPv4


def test_only_a_tenant_that_says_so_agrees_to_being_learned(api: Northbound) -> None:
    told = api.http.simulate_get("/v1/tenants/acme/consent").json
    assert (told["consent"], told["addresses"]) == (True, ["2001:db8:a::10", "203.0.113.10"])
    assert told["ports"] == {"2001:db8:a::10": [22, 25, 80], "203.0.113.10": [22, 25, 80]}
    assert not api.http.simulate_get("/v1/tenants/globex/consent").json["consent"]
    text = DEMO.replace("    consent_to_learning: true", "    consent_to_learning: false", 1)
    api.http.simulate_post("/v1/policy", json={"file": "p.yaml", "text": text})
    assert not api.http.simulate_get("/v1/tenants/acme/consent").json["consent"]
    assert api.http.simulate_get("/v1/tenants/nobody/consent").status_code == 404


def test_a_pardoned_source_starts_at_zero_and_is_decided_about_again_if_it_goes_on(api: Northbound) -> None:
    fact = {"kind": "decoy-login", "source": "198.51.100.66"}
    api.http.simulate_post("/v1/evidence", json={"evidence": [fact]})
    api.http.simulate_delete("/v1/decisions?origin=postern")
    assert api.http.simulate_get("/v1/sources/198.51.100.66").json["score"] == 0
    api.http.simulate_post("/v1/evidence", json={"evidence": [fact]})
    assert api.http.simulate_get("/v1/decisions").json["count"] == 1


def test_whoever_a_decision_leads_to_a_decoy_makes_no_evidence_by_being_there(api: Northbound) -> None:
    """Otherwise a wrong decision would prove itself right."""
    make(api, DECOY)
    there = {"source": "198.51.100.66", "destination": "203.0.113.10", "port": 25}
    kinds = ("decoy-connection", "decoy-command", "decoy-login", "decoy-upload")
    api.http.simulate_post("/v1/evidence", json={"evidence": [{**there, "kind": kind} for kind in kinds]})
    told = api.http.simulate_get("/v1/sources/198.51.100.66").json
    assert told["score"] == 0
    assert [fact["expected"] for fact in told["evidence"]] == [True] * 4
    elsewhere = {**there, "port": 23, "kind": "decoy-login"}
    api.http.simulate_post("/v1/evidence", json={"evidence": [elsewhere]})
    assert api.http.simulate_get("/v1/sources/198.51.100.66").json["score"] > 0


def test_five_suspicious_neighbours_bring_their_network_and_tenants_are_never_covered(
    api: Northbound,
) -> None:
    def log_in(network: str) -> list[str]:
        facts = [{"kind": "decoy-login", "source": f"{network}.{last}"} for last in range(130, 135)]
        api.http.simulate_post("/v1/evidence", json={"evidence": facts})
        listed = api.http.simulate_get("/v1/decisions?origin=postern").json["decisions"]
        return [each["value"] for each in listed if each["scenario"] == "crowd"]

    assert log_in("198.51.100") == ["198.51.100.0/24"]
    assert log_in("203.0.113") == ["198.51.100.0/24"]  # half of that /24 is acme's and globex's
