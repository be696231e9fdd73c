"""What clients do wrong reaches the controller as evidence, and never costs mail anything."""

from collections.abc import Iterator
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import pytest

from services.base.evidence import Evidence
from services.mail.events import MailEvent
from services.mail.evidence import MANY_RECIPIENTS, Origin, Witness
from tests.mail.conftest import EICAR, RunningGateway, StartGateway
from tests.mail.scripted import ScriptedServer
from tests.sensors.standin import StandIn

pytestmark = pytest.mark.programs


def seen(client: str = "198.51.100.66") -> Origin:
    return Origin("5f000000000a", "acme", ip_address(client), IPv4Address("203.0.113.10"), 25)


def refuse(witness: Witness, times: int, client: str = "198.51.100.66", **more: Any) -> list[Evidence]:
    facts = {"reply": more.get("reply", "550 5.1.1 no such user")}
    found = [
        witness.observe(MailEvent.RECIPIENT_REFUSED, facts, seen(client), more.get("now", 0.0))
        for _ in range(times)
    ]
    return [each for each in found if each is not None]


def test_many_refused_recipients_are_a_dictionary_attack() -> None:
    assert refuse(Witness(), MANY_RECIPIENTS) == [
        Evidence(
            kind="mail-dictionary",
            source="198.51.100.66",
            destination="203.0.113.10",
            port=25,
            transport="tcp",
            detail="10 recipients refused",
            tenant="acme",
            trace="00005f000000000a",
        )
    ]


def test_a_few_refused_recipients_are_nothing() -> None:
    assert refuse(Witness(), MANY_RECIPIENTS - 1) == []


def test_refusals_that_ask_to_come_back_later_are_nothing() -> None:
    assert refuse(Witness(), 100, reply="450 4.7.1 greylisted") == []


def test_refusals_far_apart_are_not_added_up() -> None:
    witness = Witness()
    assert refuse(witness, MANY_RECIPIENTS - 1) == []
    assert refuse(witness, MANY_RECIPIENTS - 1, now=601.0) == []


def test_addresses_of_one_ipv6_neighbourhood_are_added_up() -> None:
    witness = Witness()
    found = [refuse(witness, 1, f"2001:db8:bad::{n:x}") for n in range(1, MANY_RECIPIENTS + 1)]
    assert [len(each) for each in found] == [0] * (MANY_RECIPIENTS - 1) + [1]


def test_a_host_of_sources_is_not_remembered_for_ever() -> None:
    witness = Witness()
    for number in range(20_000):
        refuse(witness, 1, str(IPv4Address("198.18.0.0") + number))
    assert len(witness._tries) == 10_000


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
