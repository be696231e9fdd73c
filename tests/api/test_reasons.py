"""A client says why it changes something: in one header, for every request."""

from collections.abc import Iterator

import pytest
from falcon import testing

from common.reason import HEADER
from controller.runtime.principals import AccessRole, Principal
from tests.api.test_envelopes import Recorded
from tests.api.test_tokens import Bearers
from tests.common.test_reason import MALFORMED
from tests.world import DEMO

DECISION = {"value": "198.51.100.66", "action": "drop"}
CHANGES = [
    ("POST", "/v1/policy", {"file": "demo.yaml", "text": DEMO}),
    ("POST", "/v1/decisions", {"decisions": [DECISION]}),
    ("DELETE", "/v1/decisions/1", None),
    ("DELETE", "/v1/decisions?origin=api", None),
    ("PUT", "/v1/origins/feed", {"decisions": [DECISION]}),
    ("POST", "/v1/allow", {"value": "198.51.100.66", "comment": "a test"}),
    ("DELETE", "/v1/allow/1", None),
    ("POST", "/v1/members/proxy1", {"drained": True}),
    ("POST", "/v1/tokens", {"name": "me", "role": "sensor"}),
    ("DELETE", "/v1/tokens/me", None),
]
each_change = pytest.mark.parametrize(("method", "path", "body"), CHANGES, ids=lambda each: str(each)[:20])


@pytest.fixture
def api() -> Recorded:
    return Recorded()


def send(api: Recorded, method: str, path: str, body: object, reason: str) -> testing.Result:
    return api.http.simulate_request(method, path, json=body, headers={HEADER: reason})


@each_change
def test_every_command_of_a_request_carries_its_reason(
    api: Recorded, method: str, path: str, body: object
) -> None:
    send(api, method, path, body, "gr%C3%B6%C3%9Fe%2C ticket 4711")
    assert {each.reason for each in api.asked} == {"größe, ticket 4711"}


@each_change
def test_a_request_with_a_hostile_reason_executes_nothing(
    api: Recorded, method: str, path: str, body: object
) -> None:
    answer = send(api, method, path, body, "one%0Atwo")
    assert (answer.status_code, api.asked) == (400, [])
    assert answer.json["description"] == (
        f"{HEADER}: contains characters that cannot be printed; remedy: write one line of plain text"
    )


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_reason_is_a_bad_request_with_a_remedy(api: Recorded, value: str) -> None:
    answer = send(api, "POST", "/v1/policy", {"file": "demo.yaml", "text": DEMO}, value)
    assert (answer.status_code, api.asked) == (400, [])
    assert "; remedy: " in answer.json["description"]


@pytest.fixture
def bearers(api: Recorded) -> Iterator[Bearers]:
    yield Bearers(api)


def test_a_sensors_changes_are_in_the_journal_with_its_name_its_reason_and_counts_only(
    api: Recorded, bearers: Bearers
) -> None:
    token = bearers.token("feed", "sensor")
    body = {"decisions": [{**DECISION, "value": f"198.51.100.{host}"} for host in range(1, 31)]}
    headers = {"X-Api-Key": token, HEADER: "a new list"}
    assert bearers.http.simulate_put("/v1/origins/feed", json=body, headers=headers).status_code == 200
    made = api.world.events("ChangeMade")[-1]
    assert (made["by"], made["command"], made["subject"], made["reason"]) == (
        str(Principal("feed", AccessRole.SENSOR)),
        "MakeDecisions",
        "30 decisions",
        "a new list",
    )


def test_a_token_is_in_no_line_of_the_journal(api: Recorded, bearers: Bearers) -> None:
    token = bearers.token("feed", "sensor")
    send(api, "DELETE", "/v1/tokens/other", None, f"the token {token} was lost")
    (refused,) = api.world.events("ChangeRefused")
    assert refused["reason"] == "the token *** was lost"
    assert token not in str(api.world.events("ChangeMade"))
