"""The API over TCP: nobody without a token, and each bearer only what his role is for."""

import pytest
from falcon import testing

from controller.api.app import build_role_apps
from controller.api.auth import Gate
from controller.runtime.principals import AccessRole
from controller.runtime.tokens import Tokens
from tests.api.conftest import Northbound


class Bearers:
    """The API as it is served over TCP."""

    def __init__(self, api: Northbound) -> None:
        self.api = api
        apps = {AccessRole.OPERATOR: api.app, **build_role_apps(api.ask, api.outside)}
        gate = Gate(api.ask, api.outside.utc, apps)
        self.http = testing.TestClient(gate)

    def token(self, name: str, role: str) -> str:
        answer = self.api.http.simulate_post("/v1/tokens", json={"name": name, "role": role})
        token: str = answer.json["token"]
        return token

    def get(self, path: str, token: str) -> testing.Result:
        return self.http.simulate_get(path, headers={"X-Api-Key": token})


@pytest.fixture
def bearers(api: Northbound) -> Bearers:
    return Bearers(api)


def decide(api: Northbound, **more: object) -> int:
    decision = {"value": "198.51.100.66", "action": "decoy", "duration_s": 600, **more}
    answer = api.http.simulate_post("/v1/decisions", json={"decisions": [decision]}).json
    number: int = answer["accepted"][0]["id"]
    return number


@pytest.mark.parametrize(
    "headers", [{}, {"X-Api-Key": "wrong"}, {"Authorization": "Bearer \xff"}, {"Authorization": "Basic x"}]
)
def test_without_a_good_token_nothing_is_said(bearers: Bearers, headers: dict[str, str]) -> None:
    for path in ("/v1/status", "/v1/decisions", "/"):
        assert bearers.http.simulate_get(path, headers=headers).status_code == 401


def test_an_operators_token_opens_everything(bearers: Bearers) -> None:
    token = bearers.token("night-shift", "operator")
    answer = bearers.http.simulate_get("/v1/status", headers={"Authorization": f"Bearer {token}"})
    assert answer.json["revision"] == 1


def test_a_bouncer_sees_decisions_and_nothing_else(bearers: Bearers) -> None:
    token = bearers.token("firewall1", "bouncer")
    assert bearers.get("/v1/decisions", token).status_code == 200
    for path in ("/v1/status", "/v1/policy", "/v1/tokens", "/v1/sources/198.51.100.66"):
        assert bearers.get(path, token).status_code == 404


def test_a_sensor_decides_under_its_own_name_only(bearers: Bearers) -> None:
    token = bearers.token("feed", "sensor")

    def put(origin: str) -> int:
        body = {"decisions": [{"value": "198.51.100.66", "action": "drop"}]}
        return int(
            bearers.http.simulate_put(
                f"/v1/origins/{origin}", json=body, headers={"X-Api-Key": token}
            ).status_code
        )

    assert (put("feed"), put("feed:drop"), put("operator"), put("feeder")) == (200, 200, 403, 403)
    assert bearers.get("/v1/decisions", token).status_code == 404


def test_a_token_that_was_ended_is_of_no_use(bearers: Bearers) -> None:
    token = bearers.token("firewall1", "bouncer")
    bearers.api.http.simulate_delete("/v1/tokens/firewall1")
    assert bearers.get("/v1/decisions", token).status_code == 401


def test_tokens_outlive_a_restart_and_the_disk_does_not_know_them(bearers: Bearers) -> None:
    token = bearers.token("firewall1", "bouncer")
    assert token not in str(bearers.api.world.store.kept_tokens)
    again = Tokens(bearers.api.world.store).bearer(token)
    assert again is not None
    assert again.name == "firewall1"


def test_a_bouncer_is_streamed_what_is_new_and_what_is_over(bearers: Bearers) -> None:
    token = bearers.token("firewall1", "bouncer")
    number = decide(bearers.api)
    first = bearers.get("/v1/decisions/stream?startup=true", token).json
    assert [(each["value"], each["type"], each["scope"]) for each in first["new"]] == [
        ("198.51.100.66", "ban", "Ip")
    ]
    assert first["new"][0]["duration"] == "600.000s"
    assert bearers.get("/v1/decisions/stream", token).json == {"new": None, "deleted": None}
    bearers.api.http.simulate_delete(f"/v1/decisions/{number}")
    assert [each["id"] for each in bearers.get("/v1/decisions/stream", token).json["deleted"]] == [number]


@pytest.mark.parametrize(
    "more", [{"simulated": True}, {"action": "watch"}, {"tenant": "acme"}, {"protocol": "tcp", "port": 22}]
)
def test_what_a_bouncer_cannot_carry_out_it_is_not_told(bearers: Bearers, more: dict[str, object]) -> None:
    token = bearers.token("firewall1", "bouncer")
    decide(bearers.api, **more)
    assert bearers.get("/v1/decisions/stream?startup=true", token).json["new"] is None


def test_a_bouncer_may_ask_about_one_address(bearers: Bearers) -> None:
    token = bearers.token("firewall1", "bouncer")
    decide(bearers.api, value="198.51.100.0/24")
    (found,) = bearers.get("/v1/decisions?ip=198.51.100.7", token).json
    assert (found["scope"], found["value"]) == ("Range", "198.51.100.0/24")
    assert bearers.get("/v1/decisions?ip=198.51.101.7", token).json is None
