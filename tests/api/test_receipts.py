"""Receipts come from the switch: what it holds at this moment, not what it was once sent."""

from dataclasses import replace
from typing import Any

import pytest

from controller.ids import OWN_COOKIES, cookie_of, group_id, meter_of
from controller.openflow import messages
from controller.runtime.lookups import MOST_COOKIES
from controller.sync.state import WireFlow, WireKey
from tests.api.conftest import Northbound
from tests.fake_switch import Key, Tables
from tests.world import DEMO

DECOY = {"value": "198.51.100.66", "action": "decoy", "duration_s": 60, "origin": "test"}
MAIL = "tenants.acme.mail"
SERVER = f"{MAIL}.servers.203.0.113.10"


def tables(api: Northbound) -> Tables:
    assert api.channel is not None
    return api.channel.switch.tables


def key_of(api: Northbound, cookie: int) -> Key:
    return next(key for key, flow in tables(api).flows.items() if flow.cookie == cookie)


def get(api: Northbound, path: str) -> Any:
    return api.http.simulate_get(path).json


def decide(api: Northbound, **more: Any) -> int:
    answer = api.http.simulate_post("/v1/decisions", json={"decisions": [{**DECOY, **more}]}).json
    assert answer["is_confirmed"]
    return int(answer["accepted"][0]["id"])


def row_of(api: Northbound, number: int) -> dict[str, Any]:
    (row,) = get(api, f"/v1/decisions/{number}")["receipt"]["switches"]
    found: dict[str, Any] = row
    return found


def test_a_receipt_has_the_counters_of_the_switch(api: Northbound) -> None:
    number = decide(api)
    key = key_of(api, cookie_of(f"decisions.{number}"))
    tables(api).flows[key] = replace(tables(api).flows[key], packets=7, age_s=30)
    row = row_of(api, number)
    assert (row["state"], row["confirmed"]) == ("installed", True)
    assert (row["packets"], row["bytes"], row["age_s"]) == (7, 700, 30)


def test_a_decision_whose_flow_was_deleted_by_hand_is_not_confirmed(api: Northbound) -> None:
    number = decide(api)
    del tables(api).flows[key_of(api, cookie_of(f"decisions.{number}"))]
    row = row_of(api, number)
    assert (row["state"], row["confirmed"], row["held"], row["flows"]) == ("not installed", False, 0, 1)
    assert (row["packets"], row["age_s"]) == (0, None)


def test_a_decision_whose_flow_was_changed_by_hand_is_not_confirmed(api: Northbound) -> None:
    number = decide(api)
    key = key_of(api, cookie_of(f"decisions.{number}"))
    tables(api).flows[key] = replace(tables(api).flows[key], instructions=b"")
    row = row_of(api, number)
    assert (row["state"], row["held"], row["changed"]) == ("not installed", 0, 1)


def test_a_further_flow_with_the_cookie_is_told(api: Northbound) -> None:
    number = decide(api)
    table, priority, fields = key_of(api, cookie_of(f"decisions.{number}"))
    tables(api).flows[table, priority + 1, fields] = tables(api).flows[table, priority, fields]
    assert row_of(api, number)["more"] == 1


def test_nothing_is_claimed_about_a_switch_that_is_not_connected(api: Northbound) -> None:
    number = decide(api)
    assert api.channel is not None
    api.world.disconnect(1, api.channel)
    row = row_of(api, number)
    assert (row["state"], row["confirmed"], row["packets"]) == ("unknown", False, None)
    assert row["reason"] == "it is not connected"


def test_nothing_is_claimed_about_a_switch_that_does_not_answer(api: Northbound) -> None:
    number = decide(api)
    api.channel = None
    row = row_of(api, number)
    assert (row["state"], row["reason"]) == ("unknown", "it has not answered in time")


def test_a_change_is_not_confirmed_while_a_switch_is_away(api: Northbound) -> None:
    assert api.channel is not None
    api.world.disconnect(1, api.channel)
    before = api.world.now
    answer = api.http.simulate_post("/v1/decisions", json={"decisions": [DECOY]}).json
    assert (answer["accepted_count"], answer["is_confirmed"]) == (1, False)
    assert api.world.now == before, "a switch that is away is not waited for"


def test_with_drift_only_reported_a_decision_is_not_waited_for_in_vain(api: Northbound) -> None:
    api.world.apply(DEMO.replace("postern: 1", "postern: 1\ndrift: report"))
    api.settle()
    first = decide(api)
    assert api.channel is not None
    table, priority, fields = key_of(api, cookie_of(f"decisions.{first}"))
    flow = WireFlow(WireKey(table, priority, fields), 0, b"", fields)
    api.world.report(api.channel, api.channel.switch.change(messages.delete_flow(0, flow)))
    before = api.world.now
    answer = api.http.simulate_post("/v1/decisions", json={"decisions": [{**DECOY, "value": "9.9.9.9"}]}).json
    second = answer["accepted"][0]["id"]
    assert (answer["is_confirmed"], api.world.now - before) == (False, 0.0)
    assert [row_of(api, number)["state"] for number in (first, second)] == ["not installed", "installed"]


def test_one_decision_is_counted_without_reading_the_others(api: Northbound) -> None:
    number = decide(api)
    assert api.channel is not None
    api.channel.looked_up.clear()
    reads = api.channel.asked.count("read")
    row_of(api, number)
    assert api.channel.looked_up == [(cookie_of(f"decisions.{number}"), 2**64 - 1)]
    assert api.channel.asked.count("read") == reads


def test_a_list_of_decisions_has_receipts_if_asked_for(api: Northbound) -> None:
    numbers = [decide(api), decide(api, value="198.51.100.67")]
    del tables(api).flows[key_of(api, cookie_of(f"decisions.{numbers[0]}"))]
    listed = get(api, "/v1/decisions?receipts=true")["decisions"]
    states = [each["receipt"]["switches"][0]["state"] for each in listed]
    assert states == ["not installed", "installed"]
    assert "receipt" not in get(api, "/v1/decisions")["decisions"][0]


def test_of_a_long_list_only_the_newest_are_looked_up(api: Northbound) -> None:
    many = [{**DECOY, "value": f"198.18.{n // 250}.{n % 250}"} for n in range(MOST_COOKIES + 50)]
    api.http.simulate_post("/v1/decisions", json={"decisions": many})
    api.settle()
    assert api.channel is not None
    api.channel.looked_up.clear()
    listed = get(api, "/v1/decisions?receipts=true")["decisions"]
    assert len(api.channel.looked_up) == MOST_COOKIES
    assert ["receipt" in each for each in listed] == [False] * 50 + [True] * MOST_COOKIES


def test_an_entry_of_the_allow_list_has_a_receipt(api: Northbound) -> None:
    made = api.http.simulate_post("/v1/allow", json={"value": "198.51.100.0/24", "comment": "ours"}).json
    assert made["is_confirmed"]
    assert made["receipt"]["switches"][0]["state"] == "installed"
    del tables(api).flows[key_of(api, cookie_of(f"allow.{made['id']}"))]
    (listed,) = get(api, "/v1/allow?receipts=true")
    assert listed["receipt"]["switches"][0]["state"] == "not installed"
    assert "receipt" not in get(api, "/v1/allow")[0]
    assert api.http.simulate_delete(f"/v1/allow/{made['id']}").json["is_confirmed"]


def test_what_happens_to_a_source_is_only_said_as_far_as_switches_confirm_it(api: Northbound) -> None:
    number = decide(api)
    known = get(api, "/v1/sources/198.51.100.66")
    assert known["consequence"] == f"reaches a decoy, by decision {number}"
    del tables(api).flows[key_of(api, cookie_of(f"decisions.{number}"))]
    known = get(api, "/v1/sources/198.51.100.66")
    text = f"reaches a decoy, by decision {number}; NOT CONFIRMED by s1 (not installed)"
    assert known["consequence"] == text


@pytest.mark.parametrize("what", [MAIL, SERVER, f"{cookie_of(SERVER):#x}"])
def test_a_rule_is_explained_with_what_the_switch_holds_of_it(api: Northbound, what: str) -> None:
    answer = get(api, f"/v1/explain/{what}")
    (row,) = answer["switches"]
    assert (row["state"], row["held"]) == ("installed", len(answer["flows"]))
    assert {each["state"] for each in answer["flows"]} == {"installed"}


def test_a_rule_without_one_of_its_flows_is_not_installed(api: Northbound) -> None:
    key = key_of(api, cookie_of(SERVER))
    del tables(api).flows[key]
    answer = get(api, f"/v1/explain/{MAIL}")
    (row,) = answer["switches"]
    assert (row["state"], row["held"]) == ("not installed", row["flows"] - 1)
    assert [each["state"] for each in answer["flows"]].count("not installed") == 1


def test_a_rule_whose_group_was_changed_is_not_installed(api: Northbound) -> None:
    number = group_id("proxies")
    kind, buckets = tables(api).groups[number]
    tables(api).groups[number] = (kind, buckets[: len(buckets) // 2])
    answer = get(api, f"/v1/explain/{SERVER}")
    (row,) = answer["switches"]
    assert (row["state"], row["held"]) == ("not installed", row["flows"])
    (fault,) = row["faults"]
    assert fault.startswith(f"its group {number} was changed by hand: ")
    named = [each for each in answer["flows"] if each["faults"]]
    assert {(each["state"], *each["faults"]) for each in named} == {("not installed", fault)}
    assert len(named) < len(answer["flows"])


def test_a_decision_is_only_asked_for_its_own_meter(api: Northbound) -> None:
    number = decide(api, action="limit")
    assert api.channel is not None
    api.channel.parts_asked.clear()
    assert row_of(api, number)["state"] == "installed"
    assert api.channel.parts_asked == [((meter_of(number),), False)]
    del tables(api).meters[meter_of(number)]
    row = row_of(api, number)
    assert (row["state"], row["faults"]) == ("not installed", [f"its meter {meter_of(number)} is missing"])


def test_a_foreign_flow_may_lead_a_source_elsewhere(api: Northbound) -> None:
    api.world.apply(DEMO.replace("postern: 1", "postern: 1\ndrift: report"))
    api.settle()
    assert api.channel is not None
    assert get(api, "/v1/sources/198.51.100.67")["differences"] == []
    foreign = WireFlow(WireKey(0, 60_000, b""), 0, b"", b"")
    api.world.report(api.channel, api.channel.switch.change(messages.add_flow(0, foreign)))
    known = get(api, "/v1/sources/198.51.100.67")
    assert known["consequence"].endswith("; but s1 holds 1 foreign flow; see `postern drift`")
    assert known["differences"] == [{"switch": "s1", "count": 1, "foreign_flows": 1}]


def test_very_many_rules_are_looked_up_with_one_request_without_decisions(
    api: Northbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.api.receipts.MOST_COOKIES", 3)
    decide(api)
    assert api.channel is not None
    api.channel.looked_up.clear()
    flows = get(api, "/v1/flows?counts=true")["s1"]
    assert api.channel.looked_up == [OWN_COOKIES]
    assert {each["state"] for each in flows} == {"installed"}
    assert len(flows) == len(api.world.core.accepted.states["s1"].flows)  # type: ignore[union-attr]
