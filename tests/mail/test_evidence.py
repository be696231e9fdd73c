"""What clients do wrong reaches the controller as evidence, and never costs mail anything."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.mail.evidence import MANY_RECIPIENTS
from tests.mail.conftest import EICAR, RunningGateway, StartGateway
from tests.mail.scripted import ScriptedServer
from tests.sensors.standin import StandIn

pytestmark = pytest.mark.programs


@pytest.fixture
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    standin = StandIn(Path(tmp_path_factory.mktemp("c")) / "api.sock")
    standin.begin()
    yield standin
    standin.end()


@pytest.fixture
def reporting(start_gateway: StartGateway, server: ScriptedServer, controller: StandIn) -> RunningGateway:
    return start_gateway(server.port, "--api", f"unix:{controller.socket}")


def evidence(controller: StandIn, kind: str) -> dict[str, Any]:
    request = controller.wait(lambda request: any(each["kind"] == kind for each in request.media["evidence"]))
    return next(each for each in request.media["evidence"] if each["kind"] == kind)


def test_malware_is_evidence(
    start_gateway: StartGateway, server: ScriptedServer, controller: StandIn, clamd: dict[str, Any]
) -> None:
    flags = ("--api", f"unix:{controller.socket}")
    gateway = start_gateway(server.port, *flags, scan=[{"action": "scan"}], scanners=[clamd])
    assert gateway.client().message(b"Subject: s\r\n\r\n" + EICAR).startswith("550 ")
    found = evidence(controller, "mail-malware")
    assert (found["source"], found["destination"], found["tenant"]) == ("127.0.2.5", "127.0.1.10", "acme")
    assert "Postern.Test.Eicar" in found["detail"]


def test_a_message_with_lone_newlines_is_evidence(reporting: RunningGateway, controller: StandIn) -> None:
    assert reporting.client().message(b"Subject: s\r\n\r\na\n.\nMAIL FROM:<x@y>").startswith("550 ")
    assert evidence(controller, "mail-protocol-abuse")["detail"] == "bare newlines in a message"


def test_too_many_bad_commands_are_evidence(reporting: RunningGateway, controller: StandIn) -> None:
    client = reporting.client()
    client.hello()
    for _ in range(20):
        client.ask(b"NONSENSE")
    assert evidence(controller, "mail-protocol-abuse")["detail"] == "too many errors"


def test_a_dictionary_of_recipients_over_two_sessions_is_evidence(
    reporting: RunningGateway, controller: StandIn, server: ScriptedServer
) -> None:
    server.script["RCPT"] = b"550 5.1.1 no such user\r\n"
    for _ in range(2):
        client = reporting.client()
        client.hello()
        client.ask(b"MAIL FROM:<a@b.example>")
        for number in range(MANY_RECIPIENTS // 2):
            assert client.ask(b"RCPT TO:<c%d@acme.example>" % number)[:3] == "550"
    assert evidence(controller, "mail-dictionary")["count"] == 1


def test_mail_goes_on_while_no_controller_is_there(
    reporting: RunningGateway, controller: StandIn, server: ScriptedServer
) -> None:
    controller.end()
    assert reporting.client().message(b"Subject: s\r\n\r\na\nb").startswith("550 ")
    reporting.wait_for("ControllerAway")
    assert reporting.client().message(b"Subject: s\r\n\r\nhello").startswith("250 ")
    controller.begin()
    evidence(controller, "mail-protocol-abuse")
