"""All members of a pool are gone, or full: what senders are told, and that mail goes on afterwards."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from controller.api.client import ApiClient
from lab import probes
from lab.demo.cases import CASES, Case
from lab.lab import Lab
from lab.mail import Letter, Told, send
from lab.messages import Content, build
from lab.services import gateways, responders
from lab.services.controllers import api_address
from lab.trace_logs import Reader
from tests.journals import read_journal
from tests.lab.conftest import POLICY, await_in_step
from tests.lab.outgoing import OutgoingPostfix
from tests.lab.test_sessions_held import Session, apply

pytestmark = pytest.mark.lab

_PATIENCE_S = 60.0
_STEP_S = 0.05  # each question is a session that the switch remembers for 45 s, and lists again and again
_PROXIES = ("proxy1.mail", "proxy2.mail")
_SERVER = "203.0.113.10"
_CLEAN = next(case for case in CASES if case.tenant == "acme" and case.content is Content.CLEAN)
_EICAR = next(case for case in CASES if case.tenant == "acme" and case.content is Content.EICAR)
_CLEAN_GLOBEX = next(case for case in CASES if case.tenant == "globex" and case.content is Content.CLEAN)


@pytest.fixture
def api(lab: Lab) -> Iterator[ApiClient]:
    api = ApiClient(api_address(lab.places))
    yield api
    apply(api, POLICY.read_text(encoding="utf-8"))
    _await_well(api)


def choose(lab: Lab, api: ApiClient, on_empty: str, limit: int = 0) -> None:
    """Have acme choose, and perhaps limit its proxies; return when switches and gateways know."""
    text = POLICY.read_text(encoding="utf-8").replace("on_empty: tempfail", f"on_empty: {on_empty}")
    if limit:
        text = text.replace("    kind: mail-proxy\n", f"    kind: mail-proxy\n    limit: {limit}\n")
    apply(api, text)
    revision = api.get("/v1/status")["revision"]
    deadline = time.monotonic() + _PATIENCE_S
    for name in ("proxy1", "proxy2"):
        while f'"revision": {revision},' not in gateways.journal(lab.places, name).read_text(
            encoding="utf-8"
        ):
            assert time.monotonic() < deadline, f"{name} does not know revision {revision}"
            time.sleep(0.05)


def _troubles(api: ApiClient) -> list[str]:
    return list(api.get("/v1/status")["pools"])


def _await_trouble(api: ApiClient, words: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not any(words in line for line in _troubles(api)):
        assert time.monotonic() < deadline, _troubles(api)
        time.sleep(0.05)
    await_in_step(api)


def _await_well(api: ApiClient) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while _troubles(api):
        assert time.monotonic() < deadline, _troubles(api)
        time.sleep(0.05)
    await_in_step(api)


@contextmanager
def without_proxies(lab: Lab) -> Iterator[None]:
    try:
        for part in _PROXIES:
            lab.stop(part, patience_s=0)
        yield
    finally:
        for part in _PROXIES:
            lab.start(part)


def post(lab: Lab, case: Case) -> Told:
    message = build(case.content, "someone@sender.example", case.recipient)
    letter = Letter("someone@sender.example", case.recipient, case.server, message, case.tls)
    return send(lab.places.pin(case.host), letter)


def first_refusal(lab: Lab, server: str = _SERVER) -> str:
    """Return the first reply that is no 2xx, up to MAIL. Raise `OSError` if there is no reply at all."""
    connection = probes.connect(lab.places.pin("sender"), server, 25, 5.0)
    with connection, connection.makefile("rb") as file:
        for command in (b"", b"EHLO sender.example\r\n", b"MAIL FROM:<someone@sender.example>\r\n"):
            connection.sendall(command)
            while (line := file.readline())[3:4] == b"-":
                continue
            if not line.startswith(b"2"):
                return line.decode().strip() if line else "the connection was closed"
    return ""


def await_reply(lab: Lab, code: str, server: str = _SERVER) -> float:
    """Return after how many seconds a client first got a reply that begins so."""
    begun = time.monotonic()
    reply = ""
    while not reply.startswith(code):
        assert time.monotonic() - begun < _PATIENCE_S, f"the last reply was {reply!r}"
        time.sleep(_STEP_S)
        with suppress(OSError):
            reply = first_refusal(lab, server)
    return time.monotonic() - begun


def await_room(lab: Lab) -> None:
    """Return when a client is greeted, and its MAIL taken, again."""
    deadline = time.monotonic() + _PATIENCE_S
    reply = "none yet"
    while reply:
        assert time.monotonic() < deadline, reply
        time.sleep(_STEP_S)
        try:
            reply = first_refusal(lab)
        except OSError as error:
            reply = str(error)


def answered(lab: Lab) -> list[dict[str, Any]]:
    """Return what the responder noted of its sessions."""
    return read_journal(responders.journal(lab.places, "responder1"), "SessionAnswered")


@pytest.mark.parametrize("server", [_SERVER, "2001:db8:a::10"], ids=["IPv4", "IPv6"])
def test_without_any_proxy_a_client_soon_hears_a_real_4xx_and_with_them_back_mail_goes_through(
    lab: Lab, api: ApiClient, reader: Reader, server: str
) -> None:
    with without_proxies(lab):
        after_s = await_reply(lab, "451 4.3.2", server)
        assert post(lab, _CLEAN).reply.startswith("451 4.3.2 ")
        _await_trouble(api, "EMPTY: acme's mail is deferred by a responder")
    print(f"\na real 4xx after {after_s:.2f} s")
    assert after_s < 30
    since = reader.bookmark()
    told = post(lab, _CLEAN)
    deadline = time.monotonic() + _PATIENCE_S
    while told.code != 250:
        assert told.code // 100 == 4 and time.monotonic() < deadline, told.transcript
        told = post(lab, _CLEAN)
    assert reader.find(since, "acme-mx", lambda found: found.is_delivered).is_delivered


def test_the_other_tenant_never_notices(lab: Lab, api: ApiClient) -> None:
    with without_proxies(lab):
        _await_trouble(api, "EMPTY: acme's")
        assert post(lab, _CLEAN_GLOBEX).code == 250


def test_a_session_with_the_responder_is_noted_with_its_tenant(lab: Lab, api: ApiClient) -> None:
    before = len(answered(lab))
    with without_proxies(lab):
        await_reply(lab, "451 4.3.2")
    event = answered(lab)[before]
    assert (event["tenant"], event["answer"], event["client"]) == ("acme", "tempfail", "198.51.100.10")


def test_bypass_passes_everything_unscanned_while_no_proxy_is_there_and_says_so(
    lab: Lab, api: ApiClient, reader: Reader
) -> None:
    choose(lab, api, "bypass")
    with without_proxies(lab):
        _await_trouble(api, "EMPTY: acme's mail is delivered UNSCANNED (on_empty: bypass)")
        since = reader.bookmark()
        assert post(lab, _EICAR).code == 250
        found = reader.find(since, "acme-mx", lambda found: found.is_delivered)
        assert (found.is_delivered, found.server_saw) == (True, "198.51.100.10")
        assert found.events == ()
    _await_well(api)
    assert post(lab, _EICAR).reply.startswith("550 5.7.1 ")


def test_reject_makes_a_real_postfix_bounce_with_the_reason(lab: Lab, api: ApiClient) -> None:
    choose(lab, api, "reject")
    postfix = OutgoingPostfix(lab, _SERVER)
    with without_proxies(lab), postfix.running():
        _await_trouble(api, "EMPTY: acme's mail is REJECTED PERMANENTLY")
        why = postfix.await_status(postfix.submit("alice@acme.example"), "bounced")
    assert "554 5.3.2 mail for this address is refused" in why
    assert "in reply to MAIL FROM command" in why


def test_a_real_postfix_that_was_put_off_delivers_the_next_message_at_once_when_proxies_are_back(
    lab: Lab, api: ApiClient
) -> None:
    """Refused at MAIL, so the destination is not taken for dead (see services/responder/dialogue.py)."""
    postfix = OutgoingPostfix(lab, _SERVER)
    with postfix.running():
        with without_proxies(lab):
            _await_trouble(api, "EMPTY: acme's")
            waiting = [postfix.submit("alice@acme.example") for _ in range(8)]
            for message in waiting:
                assert "451 4.3.2" in postfix.await_status(message, "deferred")
            postfix.flush()  # all at once: this is what makes a Postfix give up on a destination
            for message in waiting:
                postfix.await_status(message, "deferred", times=2)
        _await_well(api)
        assert "queued as" in postfix.await_status(postfix.submit("alice@acme.example"), "sent")
        postfix.flush()
        for message in waiting:
            assert "queued as" in postfix.await_status(message, "sent")


@contextmanager
def filled(lab: Lab, room: int) -> Iterator[list[Session]]:
    """Hold as many sessions as acme's proxies take together; who meets a full one hears 421."""
    pin, deadline = lab.places.pin("sender"), time.monotonic() + _PATIENCE_S
    with ExitStack() as stack:
        held: list[Session] = []
        while len(held) < room:
            assert time.monotonic() < deadline, f"{len(held)} sessions are held"
            with ExitStack() as attempt:
                try:
                    session = Session(pin, _SERVER, "acme")
                    attempt.callback(session.close)
                    session.begin()
                except AssertionError as shed:  # or put off: who was shed a moment ago may still be counted
                    assert "'421 4.3.2 too many" in str(shed) or "'451 4.3.2" in str(shed)
                    time.sleep(_STEP_S)
                    continue
                stack.push(attempt.pop_all())
                held.append(session)
        yield held


def test_a_pool_at_its_limit_sheds_and_loses_no_session_that_it_has(lab: Lab, api: ApiClient) -> None:
    choose(lab, api, "reject", limit=3)  # nobody is refused for good because of load
    with filled(lab, 6) as held:
        _await_trouble(api, "FULL: acme's mail goes to full members")
        await_reply(lab, "421 4.3.2 too many")
        for session in held:
            session.finish()
    await_room(lab)


def test_a_pool_that_is_full_leaves_the_answer_to_the_responder(lab: Lab, api: ApiClient) -> None:
    choose(lab, api, "tempfail", limit=1)
    with filled(lab, 2) as held:
        _await_trouble(api, "FULL: acme's mail is deferred by a responder")
        await_reply(lab, "451 4.3.2 ")
        for session in held:
            session.finish()
    await_room(lab)


@pytest.mark.parametrize(
    ("address", "port"),
    [
        (_SERVER, 25),
        ("2001:db8:b::10", 25),
        ("198.51.100.10", 25),
        ("198.51.100.10", 80),
        ("192.0.2.100", 3310),
        ("192.0.2.11", 25),
        ("2001:db8:e::21", 3310),
    ],
)
def test_a_responder_opens_no_connection_to_anybody(lab: Lab, address: str, port: int) -> None:
    with pytest.raises(OSError, match=r"timed out|unreachable|No route"):
        probes.connect(lab.places.pin("responder1"), address, port, 0.7).close()
