"""Parts of the edge die: nothing is lost, nothing slips through, senders are told to come back."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from controller.api.client import ApiClient
from lab.demo.cases import CASES, Case
from lab.demo.verdicts import complaints
from lab.lab import Lab
from lab.mail import Letter, Told, send
from lab.messages import Content, build
from lab.services.controllers import api_address
from lab.trace_logs import Found, Reader
from tests.lab.conftest import await_in_step
from tests.lab.test_pool_under_load import BACK, await_states

pytestmark = pytest.mark.lab

_CLEAN_ACME = next(case for case in CASES if case.tenant == "acme" and case.content is Content.CLEAN)
_CLEAN_GLOBEX = next(case for case in CASES if case.tenant == "globex" and case.content is Content.CLEAN)
_EICAR_ACME = next(case for case in CASES if case.tenant == "acme" and case.content is Content.EICAR)


@contextmanager
def without(lab: Lab, *parts: str, patience_s: float = 4.0) -> Iterator[None]:
    """The same lab with some programs stopped for a while."""
    try:
        for part in parts:
            lab.stop(part, patience_s)
        yield
    finally:
        for part in parts:
            lab.start(part)


def post(lab: Lab, case: Case) -> Told:
    message = build(case.content, "someone@sender.example", case.recipient)
    letter = Letter("someone@sender.example", case.recipient, case.server, message, case.tls)
    return send(lab.places.pin(case.host), letter)


def post_and_find(lab: Lab, reader: Reader, case: Case) -> tuple[Told, Found]:
    since = reader.bookmark()
    told = post(lab, case)
    return told, reader.find(since, case.mail_host, lambda found: not complaints(case, told, found))


@pytest.mark.parametrize("case", [_CLEAN_ACME, _EICAR_ACME, _CLEAN_GLOBEX], ids=["acme", "malware", "globex"])
def test_without_any_clamd_the_sender_is_told_to_come_back(lab: Lab, case: Case) -> None:
    with without(lab, "scanner1.clamd", "scanner2.clamd"):
        told = post(lab, case)
    await_states(ApiClient(api_address(lab.places)), BACK)  # the next test finds them healthy
    assert told.reply.startswith("451 4."), told.transcript


def test_without_the_tenants_server_the_sender_is_told_to_come_back(lab: Lab) -> None:
    with without(lab, "acme-mx.postfix"):
        told = post(lab, _CLEAN_ACME)
    assert 400 <= told.code < 500, told.transcript


def test_mail_goes_on_while_the_controller_is_dead(lab: Lab, reader: Reader) -> None:
    await_states(ApiClient(api_address(lab.places)), BACK)  # as it leaves them, they stay
    with without(lab, "controller", patience_s=0):
        for case in (_CLEAN_ACME, _EICAR_ACME, _CLEAN_GLOBEX):
            told, found = post_and_find(lab, reader, case)
            assert complaints(case, told, found) == [], told.transcript


def test_a_controller_that_comes_back_sends_no_flow_again(lab: Lab) -> None:
    api = ApiClient(api_address(lab.places))
    await_states(api, BACK)  # as it leaves them, they stay
    await_in_step(api)
    before = _ages(lab)
    with without(lab, "controller", patience_s=0):
        time.sleep(0.5)
    rows = ApiClient(api_address(lab.places)).get("/v1/status")["switches"]
    after = _ages(lab)
    assert [row["flows_sent"] for row in rows] == [0]
    assert len(after) == len(before) > 100
    assert min(after) > min(before)


def _ages(_lab: Lab) -> list[float]:
    """Return for how many seconds each flow has been on the switch."""
    command = ["ovs-ofctl", "-O", "OpenFlow14", "dump-flows", "s1"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    return [float(age) for age in re.findall(r"duration=([0-9.]+)s", done.stdout)]


def test_no_packet_of_a_mail_connection_reaches_the_controller(lab: Lab, reader: Reader) -> None:
    before = _packet_ins(lab)
    for case in CASES:
        post_and_find(lab, reader, case)
    assert _packet_ins(lab) == before
    _send_one_packet_to_the_controller()
    deadline = time.monotonic() + 60
    while _packet_ins(lab) == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _packet_ins(lab) == before + 1, "the counter itself does not count"


def _packet_ins(lab: Lab) -> int:
    return int(ApiClient(api_address(lab.places)).get("/v1/status")["packet_ins"])


def _send_one_packet_to_the_controller() -> None:
    frame = "ffffffffffff" + "025e00000001" + "88b5" + "00" * 50  # local experimental EtherType
    command = [
        "ovs-ofctl",
        "-O",
        "OpenFlow14",
        "packet-out",
        "s1",
        f"in_port=LOCAL packet={frame} actions=CONTROLLER",
    ]
    subprocess.run(command, check=True, capture_output=True)
