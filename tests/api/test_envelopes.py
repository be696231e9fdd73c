"""Each request reaches the runtime as a command in an envelope: on whose behalf, why and when."""

from typing import TypeVar

import pytest
from falcon import testing

from controller.runtime import Asked
from controller.runtime.commands.members import NoteCounts
from controller.runtime.principals import CONTROLLER, OPERATOR, AccessRole, Principal
from tests.api.conftest import Northbound
from tests.api.test_tokens import Bearers
from tests.world import DEMO, UTC

R = TypeVar("R")


class Recorded(Northbound):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Asked[object]] = []
        self.start()
        self.connect()

    def ask(self, asked: Asked[R]) -> R:
        self.asked.append(asked)
        return super().ask(asked)


@pytest.fixture
def api() -> Recorded:
    return Recorded()


@pytest.mark.parametrize("path", ["/v1/status", "/v1/policy", "/v1/tokens", "/v1/decisions"])
def test_a_request_whose_client_was_not_identified_is_refused(api: Recorded, path: str) -> None:
    assert testing.TestClient(api.app).simulate_get(path).status_code == 401
    assert api.asked == []


def test_a_request_on_the_operators_socket_is_an_operators(api: Recorded) -> None:
    api.world.now = 7.0
    api.http.simulate_post("/v1/policy", json={"file": "demo.yaml", "text": DEMO})
    (asked,) = api.asked
    assert (asked.by, asked.reason, asked.at_utc) == (OPERATOR, "", UTC + 7.0)


def test_a_request_with_a_token_is_made_on_behalf_of_the_tokens_name_and_role(api: Recorded) -> None:
    bearers = Bearers(api)
    token = bearers.token("feed", "sensor")
    api.asked.clear()
    body = {"decisions": [{"value": "198.51.100.66", "action": "drop"}]}
    bearers.http.simulate_put("/v1/origins/feed", json=body, headers={"X-Api-Key": token})
    identify, *others = api.asked
    assert (identify.by, token in repr(identify)) == (CONTROLLER, False)
    assert {each.by for each in others} == {Principal("feed", AccessRole.SENSOR)}


def test_sessions_are_counted_on_behalf_of_the_controller_for_every_client(api: Recorded) -> None:
    api.sessions = {"02:cc:00:00:00:01": 5}
    api.http.simulate_get("/v1/pools")
    counted, listed = api.asked
    assert isinstance(counted.command, NoteCounts)
    assert (counted.by, listed.by) == (CONTROLLER, OPERATOR)
