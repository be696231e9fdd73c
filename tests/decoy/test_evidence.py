"""What attackers do to a decoy reaches the controller; one that is away stops nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.decoy.conftest import Begin
from tests.decoy.running import DARK, HELLO, POP3
from tests.sensors.standin import StandIn

pytestmark = pytest.mark.programs


@pytest.fixture
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    standin = StandIn(Path(tmp_path_factory.mktemp("c")) / "api.sock")
    yield standin
    standin.end()


def awaited(controller: StandIn, kind: str, count: int = 1) -> dict[str, Any]:
    """Wait until evidence of a kind was counted so often; return the last of it."""

    def found(_: object) -> list[dict[str, Any]]:
        of_kind = [each for each in controller.evidence() if each["kind"] == kind]
        return of_kind if sum(each["count"] for each in of_kind) >= count else []

    controller.wait(lambda request: bool(found(request)))
    return found(None)[-1]


def test_what_an_attacker_does_reaches_the_controller_at_once(begin: Begin, controller: StandIn) -> None:
    controller.begin()
    decoy = begin("--api", f"unix:{controller.socket}")
    client = decoy.client(DARK, POP3)
    connection = awaited(controller, "decoy-connection")
    client.hear()
    client.ask(b"USER \x1broot")
    client.ask(b"PASS toor")
    login = awaited(controller, "decoy-login")
    assert login["source"] == "127.0.0.1"
    assert (login["tenant"], login["destination"], login["port"]) == ("acme", DARK, POP3)
    assert login["transport"] == "tcp"
    assert login["detail"] == "USER \\x1broot"
    assert login["trace"] == connection["trace"] == decoy.wait_for("LoginTried")["trace"]


def test_while_the_controller_is_away_the_decoy_goes_on_and_nothing_is_lost(
    begin: Begin, controller: StandIn
) -> None:
    decoy = begin("--api", f"unix:{controller.socket}")
    for _ in range(50):
        client = decoy.client(DARK, HELLO)
        assert client.hear() == b"dark\r\n"
        client.close()
    assert "cannot be reached" in decoy.wait_for("ControllerAway")["reason"]
    controller.begin()
    awaited(controller, "decoy-connection", 50)
    assert len(controller.requests) <= 3
