"""Whatever is posted, the API answers with a reason and goes on; nothing is half done."""

import json

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.api.conftest import Northbound
from tests.examples import examples

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
_WORDS = st.sampled_from(
    [
        "198.51.100.66",
        "::/0",
        "0.0.0.0/0",
        "1.2.3.4/33",
        "decoy",
        "drop",
        "tcp",
        "acme",
        "",
        "\x00",
        "²",
        "%eth0",
    ]
)
_DECISION = st.dictionaries(
    st.sampled_from(
        ["value", "action", "duration_s", "origin", "tenant", "protocol", "port", "confidence", "sessions"]
    ),
    _WORDS | _JSON,
)
_EVIDENCE = st.dictionaries(
    st.sampled_from(["kind", "source", "tenant", "port", "count", "detail", "protocol", "trace"]),
    _WORDS | st.sampled_from(["decoy-login", "dark-packet"]) | _JSON,
)
_CALM = examples(80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@given(st.lists(_DECISION | _JSON, max_size=4))
@_CALM
def test_decisions_without_sense_are_refused_one_by_one(api: Northbound, decisions: list[object]) -> None:
    body = json.dumps({"decisions": decisions})
    response = api.http.simulate_post(
        "/v1/decisions", body=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 200
    answer = response.json
    assert answer["accepted_count"] + answer["refused_count"] == len(decisions)
    assert all(each["error"] and each["remedy"] for each in answer["refused"])


@given(st.lists(_EVIDENCE | _JSON, max_size=4))
@_CALM
def test_evidence_without_sense_is_refused_one_by_one(api: Northbound, evidence: list[object]) -> None:
    body = json.dumps({"evidence": evidence})
    response = api.http.simulate_post("/v1/evidence", body=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200
    assert response.json["accepted"] + len(response.json["refused"]) == len(evidence)


@given(_JSON)
@_CALM
def test_bodies_without_sense_are_bad_requests(api: Northbound, media: object) -> None:
    for method, path in (
        ("POST", "/v1/decisions"),
        ("POST", "/v1/evidence"),
        ("PUT", "/v1/origins/x"),
        ("POST", "/v1/allow"),
        ("POST", "/v1/tokens"),
        ("POST", "/v1/members/proxy1"),
    ):
        response = api.http.simulate_request(
            method, path, body=json.dumps(media), headers={"Content-Type": "application/json"}
        )
        assert 400 <= response.status_code < 500, (path, media)


@pytest.mark.parametrize(
    "path", ["x", "1.2.3.4/99", "%00", "::1%25eth0", "198.51.100.66/24", "9" * 400, "decisions.17"]
)
def test_a_source_that_is_none_is_refused_with_a_remedy(api: Northbound, path: str) -> None:
    response = api.http.simulate_get(f"/v1/sources/{path}")
    assert response.status_code == 422
    assert "remedy" in response.json["errors"][0]


@pytest.mark.parametrize("query", ["value=x", "value=1.2.3.4/99", "limit=x", "limit=-1"])
def test_a_choice_that_is_none_is_refused(api: Northbound, query: str) -> None:
    assert 400 <= api.http.simulate_get(f"/v1/decisions?{query}").status_code < 500


@pytest.mark.parametrize("ring", ["\ud800", "\0", "x" * 81, "\x1b[2J"])
def test_a_ring_whose_name_cannot_be_shown_is_refused_and_the_fleet_can_be_read(
    api: Northbound, ring: str
) -> None:
    body = json.dumps({"server": "av1", "rings": {ring: {"serial": 1}}})
    response = api.http.simulate_post(
        "/v1/antivirus/reports", body=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 400
    assert api.http.simulate_get("/v1/antivirus/fleet").status_code == 200


def test_rings_that_nobody_knows_are_not_gathered_without_end(api: Northbound) -> None:
    for number in range(10):
        report = {"server": "av1", "rings": {f"ring{number}": {"serial": 1}, "all": {"serial": 1}}}
        assert api.http.simulate_post("/v1/antivirus/reports", json=report).status_code == 200
    fleet = api.http.simulate_get("/v1/antivirus/fleet").json
    assert list(fleet["rings"]) == ["all"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/evidence",
        "/v1/members/proxies.proxy1/health",
        "/v1/antivirus/reports",
        "/v1/decisions",
        "/v1/policy",
        "/v1/tokens",
        "/v1/allow",
    ],
)
def test_json_without_end_to_its_depth_is_the_askers_mistake(api: Northbound, path: str) -> None:
    for body in ("[" * 50_000, '{"good": true, "more": ' + "[" * 20_000 + "}"):
        response = api.http.simulate_post(path, body=body, headers={"Content-Type": "application/json"})
        assert response.status_code == 400


@pytest.mark.parametrize(
    ("path", "most_bytes"),
    [("/v1/members/proxies.proxy1/health", 2**16), ("/v1/antivirus/reports", 2**20), ("/v1/evidence", 2**23)],
)
def test_a_body_that_no_program_of_ours_sends_is_not_read(
    api: Northbound, path: str, most_bytes: int
) -> None:
    """A member could hold up the whole controller for seconds with one request."""
    body = '{"good": true, "server": "av1", "evidence": [], "more": "' + "x" * most_bytes + '"}'
    response = api.http.simulate_post(path, body=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert f"must not be larger than {most_bytes} bytes" in response.text
