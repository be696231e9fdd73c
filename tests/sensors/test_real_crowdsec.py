"""A real CrowdSec reads logs of Cowrie, Postfix and a decoy; what it decides reaches the controller."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.sensors.conftest import Program
from tests.sensors.crowdsec import RealCrowdSec
from tests.sensors.standin import Request, StandIn

pytestmark = pytest.mark.peers
Start = Callable[[str], Program]


@pytest.fixture
def crowdsec(home: Path) -> Iterator[RealCrowdSec]:
    real = RealCrowdSec(home / "crowdsec")
    real.register()
    real.begin()
    yield real
    real.end()


def bouncer_of(crowdsec: RealCrowdSec, **keys: str) -> str:
    lines = "".join(f"  {name}: {value}\n" for name, value in keys.items())
    return (
        f"postern-sensors: 1\ncrowdsec:\n  url: {crowdsec.url}\n"
        f"  key_file: {crowdsec.key_file}\n  poll: 200ms\n{lines}"
    )


def decides(value: str) -> Callable[[Request], bool]:
    return lambda request: any(each["value"] == value for each in (request.media or {}).get("decisions", []))


def decision(standin: StandIn, value: str) -> dict[str, object]:
    request = standin.wait(decides(value), 60.0)
    return next(each for each in request.media["decisions"] if each["value"] == value)


def append(path: Path, *lines: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def test_sessions_in_cowries_log_end_in_a_decision(
    crowdsec: RealCrowdSec, controller: StandIn, sensors: Start
) -> None:
    sensors(bouncer_of(crowdsec)).wait("CrowdSecSynced")
    sessions = (
        {
            "eventid": "cowrie.session.connect",
            "src_ip": "198.51.100.66",
            "src_port": 40_000 + number,
            "dst_ip": "203.0.113.10",
            "dst_port": 23,
            "session": f"98ab{number}",
            "protocol": "telnet",
            "message": f"New connection: 198.51.100.66:{40_000 + number} (203.0.113.10:23) "
            f"[session: 98ab{number}]",
            "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        }
        for number in range(8)
    )
    append(crowdsec.cowrie_log, *map(json.dumps, sessions))
    found = decision(controller, "198.51.100.66")
    assert (found["action"], found["origin"], found["scenario"]) == (
        "decoy",
        "crowdsec",
        "crowdsecurity/telnet-bf",
    )
    assert found["reason"] == "ban by CrowdSec (crowdsec): crowdsecurity/telnet-bf"
    assert isinstance(left_s := found["duration_s"], int) and 4 * 3600 - 120 < left_s <= 4 * 3600


def test_refused_recipients_in_postfix_log_end_in_a_decision(
    crowdsec: RealCrowdSec, controller: StandIn, sensors: Start
) -> None:
    sensors(bouncer_of(crowdsec, actions="{ban: drop}")).wait("CrowdSecSynced")
    moment = f"{datetime.now(UTC):%b %e %H:%M:%S}"
    refusals = (
        f"{moment} mx postfix/smtpd[2918]: NOQUEUE: reject: RCPT from unknown[198.51.100.68]: 550 5.1.1 "
        f"<user{number}@acme.example>: Recipient address rejected: User unknown in local recipient table; "
        f"from=<a@b.example> to=<user{number}@acme.example> proto=ESMTP helo=<x>"
        for number in range(8)
    )
    append(crowdsec.mail_log, *refusals)
    assert decision(controller, "198.51.100.68")["action"] == "drop"


def test_one_login_at_a_decoy_ends_in_a_decision_over_ipv6_too(
    crowdsec: RealCrowdSec, controller: StandIn, sensors: Start
) -> None:
    sensors(bouncer_of(crowdsec)).wait("CrowdSecSynced")
    login = {
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "event": "LoginTried",
        "tenant": "acme",
        "source": "2001:db8:bad::67",
        "destination": "2001:db8:a::10",
        "port": 22,
        "protocol": "ssh",
    }
    append(crowdsec.decoy_log, json.dumps({**login, "event": "AttackerConnected", "source": "198.51.100.1"}))
    append(crowdsec.decoy_log, json.dumps(login))
    assert decision(controller, "2001:db8:bad::67")["scenario"] == "postern/decoy-intrusion"
    assert not any(map(decides("198.51.100.1"), controller.requests))


def test_what_was_decided_before_the_start_is_brought_and_what_is_deleted_goes(
    crowdsec: RealCrowdSec, controller: StandIn, sensors: Start
) -> None:
    crowdsec.cscli("decisions", "add", "--ip", "198.51.100.70", "--duration", "1h")
    crowdsec.cscli("decisions", "add", "--range", "198.51.100.128/25", "--type", "captcha")
    sensors(bouncer_of(crowdsec))
    controller.wait_for_origin("crowdsec", {"198.51.100.70", "198.51.100.128/25"})
    crowdsec.cscli("decisions", "delete", "--ip", "198.51.100.70")
    gone = controller.wait(lambda request: request.method == "DELETE")
    assert (gone.path, gone.query) == (
        "/v1/decisions",
        {"origin": "crowdsec", "value": "198.51.100.70"},
    )


def test_a_restarted_crowdsec_is_asked_for_everything_again(
    crowdsec: RealCrowdSec, controller: StandIn, sensors: Start
) -> None:
    program = sensors(bouncer_of(crowdsec))
    program.wait("CrowdSecSynced")
    crowdsec.end()
    program.wait("CrowdSecAway")
    crowdsec.begin()
    crowdsec.cscli("decisions", "add", "--ip", "198.51.100.71")
    controller.wait(decides("198.51.100.71"), 60.0)
    program.wait("CrowdSecSynced", 2, 60.0)


def test_a_controller_that_was_away_hears_everything(
    crowdsec: RealCrowdSec, controller: StandIn, sensors: Start
) -> None:
    program = sensors(bouncer_of(crowdsec))
    program.wait("CrowdSecSynced")
    controller.end()
    crowdsec.cscli("decisions", "add", "--ip", "198.51.100.72")
    program.wait("ControllerAway")
    controller.begin()
    controller.wait_for_origin("crowdsec", {"198.51.100.72"}, 60.0)


def test_a_wrong_key_is_said(crowdsec: RealCrowdSec, controller: StandIn, sensors: Start) -> None:
    crowdsec.key_file.write_text("wrong\n", encoding="utf-8")
    assert (
        sensors(bouncer_of(crowdsec)).wait("CrowdSecAway")["reason"] == "the server answered with status 403"
    )
