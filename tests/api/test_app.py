"""What the API answers, and with which status it refuses."""

from typing import Any

import pytest
from falcon import testing

from controller.api import policies
from controller.api.app import build_app
from controller.runtime import StillStarting
from controller.runtime.principals import OPERATOR
from controller.sync.outcomes import Port, PortChanged
from tests.api.conftest import Northbound, identified
from tests.world import DEMO

LESS_WEB = DEMO.replace("ports: [80]", "ports: [8080]")
BAD = DEMO.replace("mode: proxy", "mode: magic")


def posted(text: str) -> dict[str, str]:
    return {"file": "new.yaml", "text": text}


def test_status_says_what_is_confirmed_where(api: Northbound) -> None:
    status = api.http.simulate_get("/v1/status").json
    assert status["summary"] == "revision 1 confirmed on 1 of 1 switches"
    assert (status["state"], status["policy_file"], status["unknown_switches"]) == (
        "confirmed",
        "demo.yaml",
        [],
    )
    (row,) = status["switches"]
    assert (row["name"], row["phase"], row["connected"], row["packet_ins"]) == ("s1", "in step", True, 3)
    assert row["problems"] == []


def test_status_waits_for_a_switch_that_is_away(bare: Northbound) -> None:
    bare.start()
    status = bare.http.simulate_get("/v1/status").json
    assert status["summary"] == "revision 1 confirmed on 0 of 1 switches"
    assert status["state"] == "waiting"


def test_a_switch_that_was_confirmed_and_went_away_is_not_counted(api: Northbound) -> None:
    assert api.channel is not None
    api.world.disconnect(1, api.channel)
    status = api.http.simulate_get("/v1/status").json
    assert status["summary"] == "revision 1 confirmed on 0 of 1 switches"


def test_status_names_switches_that_no_policy_names(api: Northbound) -> None:
    api.world.connect(dpid=0xAB)
    assert api.http.simulate_get("/v1/status").json["unknown_switches"] == ["00000000000000ab"]


def test_without_a_policy_status_says_so(bare: Northbound) -> None:
    status = bare.http.simulate_get("/v1/status").json
    assert (status["state"], status["revision"], status["switches"]) == ("no policy", 0, [])


def test_the_accepted_policy_is_told_with_its_revision(api: Northbound) -> None:
    assert api.http.simulate_get("/v1/policy").json == {"revision": 1, "file": "demo.yaml"}


@pytest.mark.parametrize("path", ["/v1/policy", "/v1/explain/tenants.acme"])
def test_without_a_policy_a_question_about_it_is_not_found(bare: Northbound, path: str) -> None:
    response = bare.http.simulate_get(path)
    assert response.status_code == 404
    assert response.json["description"] == "no policy has been accepted yet"


def test_an_accepted_policy_is_carried_out(api: Northbound) -> None:
    assert api.http.simulate_post("/v1/policy", json=posted(LESS_WEB)).json == {"revision": 2}
    status = api.http.simulate_get("/v1/status").json
    assert status["summary"] == "revision 2 confirmed on 1 of 1 switches"


def test_a_bad_policy_is_refused_with_place_and_remedy(api: Northbound) -> None:
    response = api.http.simulate_post("/v1/policy", json=posted(BAD))
    assert response.status_code == 422
    (error,) = response.json["errors"]
    assert error.startswith("new.yaml:")
    assert "tenants.acme.mail.mode" in error
    assert "remedy: " in error
    assert api.http.simulate_get("/v1/policy").json["revision"] == 1


def test_every_mistake_of_a_policy_is_told_at_once(api: Northbound) -> None:
    twice_bad = BAD.replace("mac: 02:bb:00:00:00:01", "mac: nonsense")
    errors = api.http.simulate_post("/v1/policy", json=posted(twice_bad)).json["errors"]
    assert len(errors) == 2


def test_a_store_that_refuses_is_told_as_such(api: Northbound) -> None:
    api.world.store.failure = "postern.db: disk full; remedy: make room"
    response = api.http.simulate_post("/v1/policy", json=posted(LESS_WEB))
    assert response.status_code == 507
    assert response.json == {"errors": ["postern.db: disk full; remedy: make room"]}


@pytest.mark.parametrize("body", ["[]", "{}", '{"file": 1, "text": "x"}', '{"file": "x"}', '"text"', "null"])
@pytest.mark.parametrize("path", ["/v1/policy", "/v1/plan"])
def test_a_body_that_is_no_policy_is_told_what_to_send(api: Northbound, path: str, body: str) -> None:
    response = api.http.simulate_post(path, body=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json["description"] == 'send {"file": "name", "text": "the policy"}'


@pytest.mark.parametrize("body", ["{", "", "\xff"])
def test_a_body_that_is_no_json_is_a_bad_request(api: Northbound, body: str) -> None:
    response = api.http.simulate_post("/v1/policy", body=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400


def test_a_body_larger_than_any_policy_is_not_read(api: Northbound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "_LARGEST_BODY_BYTES", 1_000)
    response = api.http.simulate_post("/v1/policy", json=posted(DEMO))
    assert response.status_code == 413
    assert response.json["description"] == "a policy must not be larger than 1000 bytes"


def test_a_plan_says_what_would_change_and_changes_nothing(api: Northbound) -> None:
    answer = api.http.simulate_post("/v1/plan", json=posted(LESS_WEB)).json
    assert answer["plans"] == {"s1": "2 flows put, 2 deleted; groups: 0 new, 0 changed, 0 deleted"}
    change = answer["switches"]["s1"]
    assert len(change["added"]) == len(change["removed"]) == 2
    assert all("tcp_dst=8080" in line for line in change["added"])
    assert api.http.simulate_get("/v1/policy").json["revision"] == 1


def test_a_client_of_the_first_release_finds_the_keys_of_a_plan_that_it_knows(api: Northbound) -> None:
    answer = api.http.simulate_post("/v1/plan", json=posted(LESS_WEB)).json
    assert answer.keys() >= {"switches", "plans", "warnings"}
    assert answer["switches"]["s1"].keys() == {"added", "removed"}
    assert api.http.simulate_post("/v1/policy", json=posted(LESS_WEB)).json == {"revision": 2}


@pytest.mark.parametrize(
    "more", [{"state": 7}, {"state": {"revision": "x"}}, {"state": []}, {"describe": "yes"}]
)
def test_a_state_that_is_none_is_a_bad_request_and_changes_nothing(
    api: Northbound, more: dict[str, Any]
) -> None:
    response = api.http.simulate_post("/v1/policy", json={**posted(LESS_WEB), **more})
    assert response.status_code == 400
    assert api.world.core.revision == 1


def test_a_plan_for_another_state_is_a_conflict_that_names_what_has_moved(api: Northbound) -> None:
    state = api.http.simulate_post("/v1/plan", json=posted(LESS_WEB)).json["state"]
    body = {**posted(LESS_WEB), "state": {**state, "revision": 7}}
    response = api.http.simulate_post("/v1/policy", json=body)
    assert response.status_code == 409
    assert response.json["errors"] == ["revision 1 is in force, and the plan was made for 7"]
    assert api.world.core.revision == 1


def test_what_was_sent_for_a_policy_can_be_read(api: Northbound) -> None:
    api.http.simulate_post("/v1/policy", json=posted(LESS_WEB))
    answer = api.http.simulate_get("/v1/policy/delivery").json
    (row,) = answer["switches"]
    assert (answer["revision"], row["switch"], row["is_done"], row["differences"]) == (2, "s1", True, [])
    assert row["sent"] == row["planned"]


def test_a_plan_of_the_accepted_policy_is_empty(api: Northbound) -> None:
    answer = api.http.simulate_post("/v1/plan", json=posted(DEMO)).json
    assert answer["switches"]["s1"] == {"added": [], "removed": []}


def test_a_plan_before_any_policy_is_everything(bare: Northbound) -> None:
    answer = bare.http.simulate_post("/v1/plan", json=posted(DEMO)).json
    assert answer["switches"]["s1"]["removed"] == []
    assert len(answer["switches"]["s1"]["added"]) > 100


def test_a_plan_for_a_switch_that_leaves_the_policy_shows_its_flows_going(api: Northbound) -> None:
    answer = api.http.simulate_post("/v1/plan", json=posted(DEMO.replace("s1", "edge1"))).json
    assert answer["switches"]["s1"]["added"] == []
    assert answer["switches"]["edge1"]["removed"] == []


def test_flows_are_shown_in_words(api: Northbound) -> None:
    flows = api.http.simulate_get("/v1/flows").json
    assert "suspicion 0 anything -> goto service  # policy" in flows["s1"]


def test_without_a_policy_there_are_no_flows(bare: Northbound) -> None:
    assert bare.http.simulate_get("/v1/flows").json == {}


def test_a_cookie_is_explained_by_the_line_that_asked_for_it(api: Northbound) -> None:
    accepted = api.world.core.accepted
    assert accepted is not None
    flow = next(f for f in accepted.states["s1"].flows.values() if f.because == "tenants.acme.services.web")
    answer = api.http.simulate_get(f"/v1/explain/{flow.cookie:#x}").json
    (rule,) = answer["rules"]
    assert rule["rule"] == "tenants.acme.services.web"
    line = int(rule["place"].split(":")[1])
    assert "web: {protocol: tcp" in DEMO.splitlines()[line - 1]
    assert {row["cookie"] for row in answer["flows"]} == {f"{flow.cookie:#x}"}


def test_a_rule_is_explained_with_all_that_stands_below_it(api: Northbound) -> None:
    answer = api.http.simulate_get("/v1/explain/tenants.globex").json
    assert answer["found"]
    assert all(rule["rule"].startswith("tenants.globex") for rule in answer["rules"])
    assert len(answer["rules"]) > 3


def test_a_rule_with_a_slash_in_it_is_explained(api: Northbound) -> None:
    answer = api.http.simulate_get("/v1/explain/tenants.acme.prefixes.203.0.113.0/26").json
    assert answer["rules"][0]["rule"] == "tenants.acme.prefixes.203.0.113.0/26"


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("0x1", "not a cookie of this edge (it begins with 0x0, not 0x9057)"),
        ("0x9057000000000000", "no flow has cookie 0x9057000000000000 now"),
        ("tenants.nobody", "no flow comes from a rule `tenants.nobody`"),
    ],
)
def test_what_asked_for_nothing_is_said_to_be_unknown(api: Northbound, what: str, why: str) -> None:
    assert api.http.simulate_get(f"/v1/explain/{what}").json == {"found": False, "reason": why}


def test_a_cookie_that_is_no_number_is_told_how_to_write_one(api: Northbound) -> None:
    response = api.http.simulate_get("/v1/explain/0xnonsense")
    assert response.status_code == 400
    assert "write 0x and hex digits" in response.json["description"]


def test_pools_are_listed_with_the_sessions_that_were_counted(api: Northbound) -> None:
    api.sessions = {"02:cc:00:00:00:01": 5}
    answer = str(api.http.simulate_get("/v1/pools").json)
    assert "proxy1" in answer
    assert "'sessions': 5" in answer


def test_sessions_that_cannot_be_counted_here_are_unknown_and_not_zero(api: Northbound) -> None:
    assert "'sessions': 0" not in str(api.http.simulate_get("/v1/pools").json)


def test_a_drained_member_gets_no_new_sessions_until_it_is_resumed(api: Northbound) -> None:
    for is_drained, resting in ((True, {"pools.proxies.members.proxy1"}), (False, set())):
        response = api.http.simulate_post("/v1/members/proxy1", json={"drained": is_drained})
        assert response.status_code == 200
        assert api.world.core.roster.resting == resting


def test_an_empty_pool_is_shown_with_what_it_means_wherever_an_operator_looks(api: Northbound) -> None:
    for name in ("proxy1", "proxy2"):
        api.http.simulate_post(f"/v1/members/{name}", json={"drained": True})
    words = "EMPTY: acme's mail is deferred by a responder, senders retry (on_empty: tempfail)"
    assert api.http.simulate_get("/v1/status").json["pools"] == [f"proxies {words}"]
    troubles = {pool["name"]: pool["troubles"] for pool in api.http.simulate_get("/v1/pools").json}
    assert troubles == {"antivirus": [], "decoys": [], "proxies": [words], "responders": [], "scanners": []}


def test_an_unknown_member_is_not_found_and_the_known_ones_are_named(api: Northbound) -> None:
    response = api.http.simulate_post("/v1/members/proxy9", json={"drained": True})
    assert response.status_code == 404
    assert "proxies.proxy1" in response.json["errors"][0]


@pytest.mark.parametrize("body", [{}, {"drained": "yes"}, [True], {"drained": 1}])
def test_a_member_is_not_drained_by_anything_but_true_or_false(api: Northbound, body: object) -> None:
    assert api.http.simulate_post("/v1/members/proxy1", json=body).status_code == 400
    assert api.world.core.roster.resting == frozenset()


def test_an_agent_is_told_what_to_look_at_before_and_after_it_reports(api: Northbound) -> None:
    asked = api.http.simulate_get("/v1/members/proxy1/health").json["agent"]
    told = api.http.simulate_post("/v1/members/proxy1/health", json={"good": True}).json["agent"]
    assert asked == told
    assert asked["checks"] == [{"kind": "smtp", "port": 25}]


def test_reports_of_an_agent_change_its_members_state(api: Northbound) -> None:
    for state in ("up", "down"):
        report = {"good": False, "detail": "x" * 10_000}
        answer = api.http.simulate_post("/v1/members/proxy1/health", json=report).json
        assert answer["state"] == state
    assert len(answer["detail"]) == 200


def test_an_agent_says_why_a_scanner_is_stale(api: Northbound) -> None:
    report = {"good": True, "stale": "signatures are 9 days old"}
    answer = api.http.simulate_post("/v1/members/scanner1/health", json=report).json
    assert (answer["state"], answer["detail"]) == ("stale", "signatures are 9 days old")
    (scanners,) = [pool for pool in api.http.simulate_get("/v1/pools").json if pool["name"] == "scanners"]
    assert [member["share_percent"] for member in scanners["members"]] == [0, 100]


@pytest.mark.parametrize("body", [{}, {"good": "yes"}, [True], {"good": 1}])
def test_what_is_no_report_changes_nothing(api: Northbound, body: object) -> None:
    assert api.http.simulate_post("/v1/members/proxy1/health", json=body).status_code == 400


def test_an_agent_of_nobody_is_told_who_there_is(api: Northbound) -> None:
    response = api.http.simulate_get("/v1/members/proxy9/health")
    assert response.status_code == 404
    assert "proxies.proxy1" in response.json["errors"][0]


def test_a_member_without_an_agent_is_never_shown_as_good(api: Northbound) -> None:
    """Steering still uses it: with no agent in its pool, the fault is more likely in the agents."""
    api.world.tick(12.0)
    (pool,) = (each for each in api.http.simulate_get("/v1/pools").json if each["name"] == "proxies")
    shown = {(m["state"], m["health"], m["unheard_s"], m["detail"]) for m in pool["members"]}
    assert shown == {("up", "unheard", 12.0, "unheard for 12 s")}
    status = api.http.simulate_get("/v1/status").json
    assert status["state"] == "confirmed"
    said = "is unheard for 12 s, new sessions still go to it; remedy: check postern-agent on its host"
    assert f"proxies.proxy1 {said}" in status["unheard"]


def test_a_member_whose_agent_is_silent_and_whose_port_is_down_shows_both(api: Northbound) -> None:
    assert api.channel is not None
    gone = PortChanged(Port(4, "02:70:00:00:00:04", "p4", False), was_deleted=True)
    api.world.hear(1, api.channel, gone)
    api.world.tick(12.0)
    rows = {m["name"]: m for pool in api.http.simulate_get("/v1/pools").json for m in pool["members"]}
    assert rows["proxy1"]["detail"] == "unheard for 12 s; its switch port is down or missing"
    assert rows["decoy1"]["health"] == "not probed"
    assert rows["decoy1"]["unheard_s"] is None


def test_a_controller_that_is_still_starting_says_so(api: Northbound) -> None:
    def ask(_asked: Any) -> Any:
        raise StillStarting

    early = testing.TestClient(identified(build_app(ask, api.outside), OPERATOR))
    for path in ("/v1/status", "/v1/pools", "/v1/decisions"):
        answer = early.simulate_get(path)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"
        assert answer.json == {"errors": ["the controller is starting; remedy: ask again in a few seconds"]}
