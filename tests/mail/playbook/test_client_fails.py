"""Every failure of the client at every step of a session, in memory; and the gateway that stops there."""

import pytest

from services.mail.events import MailEvent
from services.mail.relay.ports import HandshakeFailed, ServerUnreachable
from tests.mail.playbook.memory import Promise
from tests.mail.playbook.sender import (
    DIALOGUE,
    NAMES,
    STEPS,
    check_promises,
    ends_with,
    reach,
    waits_for_scan,
)
from tests.mail.playbook.stage import EHLO_WITH_TLS, SILENT, ServerScript, Stage, replies_in


@pytest.mark.parametrize("sent", [0, 1, 5])
@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_a_client_that_is_lost_anywhere_ends_its_session_and_nothing_else(step: int, sent: int) -> None:
    stage = reach(step)
    stage.send((DIALOGUE[step][1])[:sent])
    stage.leave()
    assert ends_with(stage, "client went away")
    assert len(stage.server.messages) == (step > 5)
    check_promises(stage)


@pytest.mark.parametrize("sent", [0, 5])
@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_a_client_that_falls_silent_anywhere_is_timed_out(step: int, sent: int) -> None:
    stage = reach(step)
    stage.send((DIALOGUE[step][1])[:sent])
    before = len(stage.heard)
    stage.advance(179 if DIALOGUE[step][0] == "MESSAGE" else 299)
    assert not stage.has_ended
    stage.advance(3)
    assert stage.heard[before:].startswith(b"421 4.4.2 ")
    assert ends_with(stage, "timed out")
    check_promises(stage)


@pytest.mark.parametrize("line", [b"NOOP" + b" " * 2_000, b"x" * 70_000])
def test_a_line_that_comes_byte_by_byte_must_be_whole_in_time(line: bytes) -> None:
    stage = reach(1)
    stage.send(line[:-100])
    for byte in line[-100:-95]:
        stage.send(bytes([byte]))
        stage.advance(100)
    assert ends_with(stage, "timed out")
    check_promises(stage)


@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_a_slow_client_is_served(step: int) -> None:
    stage = reach(step)
    stage.advance(170)
    assert stage.ask(DIALOGUE[step][1])[:1] in b"23"
    check_promises(stage)


@pytest.mark.parametrize(
    "junk", [b"\xff\xfe\x00\r\n", b"NOOP\n", b"NO\rOP\r\n", b"x" * 4_000 + b"\r\n", b"\r\n"]
)
@pytest.mark.parametrize("step", [step for step in STEPS if DIALOGUE[step][0] != "MESSAGE"])
def test_a_bad_line_anywhere_is_refused_once_and_the_session_goes_on(step: int, junk: bytes) -> None:
    stage = reach(step)
    before, commands = len(stage.heard), len(stage.server.commands)
    stage.send(junk)
    (reply,) = replies_in(stage.heard[before:])
    assert reply[:3] == b"500"
    assert len(stage.server.commands) == commands
    assert stage.ask(DIALOGUE[step][1])[:1] in b"23"
    check_promises(stage)


@pytest.mark.parametrize("cut", [1, 2_047, 2_048, 2_049, 3_999, 4_000, 4_001, 4_002])
def test_a_line_that_is_too_long_is_refused_once_and_never_executed_however_it_arrives(cut: int) -> None:
    stage = reach(1)
    before, line = len(stage.heard), b"x" * 4_000 + b"\r\nQUIT\r\n"
    stage.send(line[:cut])
    stage.send(line[cut:])
    assert [reply[:3] for reply in replies_in(stage.heard[before:])] == [b"500", b"221"]
    check_promises(stage)


def test_a_line_without_end_is_refused_again_and_again_until_the_session_ends() -> None:
    stage = reach(1)
    before = len(stage.heard)
    for _ in range(1_400):
        stage.send(b"x" * 1_000)
    replies = [reply[:3] for reply in replies_in(stage.heard[before:])]
    assert stage.has_ended and replies == [b"500"] * 20 + [b"421"]
    check_promises(stage)


@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_the_gateway_may_stop_a_session_while_the_client_is_awaited(step: int) -> None:
    stage = reach(step)
    stage.stop()
    assert replies_in(stage.heard)[-1].startswith(b"421 4.3.2 ")
    assert ends_with(stage, "the gateway was stopped")
    check_promises(stage)


@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "DOT", "RSET", "QUIT"])
def test_the_gateway_may_stop_a_session_while_the_server_is_awaited(verb: str) -> None:
    stage = Stage(ServerScript({verb: SILENT})).begin()
    for _, line in DIALOGUE:
        if stage.heard and not stage.ask(line):
            break
    stage.stop()
    assert ends_with(stage, "the gateway was stopped")
    assert len(stage.journal.of(MailEvent.DELIVERY_IN_DOUBT)) == (verb == "DOT")
    check_promises(stage)


def test_a_stopped_session_takes_no_notice_of_what_it_waited_for() -> None:
    """A connection in the making, a handshake, a scan: each is a promise that is kept too late."""
    for play in (waits_for_connection, waits_for_handshake, waits_for_servers_handshake, waits_for_scan):
        promise = Promise()
        stage = play(promise)
        stage.stop()
        assert promise.was_cancelled
        promise.keep()
        assert ends_with(stage, "the gateway was stopped")
        stage.stop()  # once more changes nothing
        check_promises(stage)


def waits_for_connection(promise: Promise) -> Stage:
    return Stage(ServerScript({"CONNECT": promise})).begin()


def waits_for_handshake(promise: Promise) -> Stage:
    stage = Stage().begin()
    stage.client.handshake = promise
    stage.ask(b"EHLO c.example")
    assert stage.ask(b"STARTTLS").startswith(b"220 ")
    return stage


def waits_for_servers_handshake(promise: Promise) -> Stage:
    stage = Stage(ServerScript({"HANDSHAKE": promise}, EHLO_WITH_TLS)).begin()
    stage.ask(b"EHLO c.example")
    return stage


# out of step


def test_a_client_that_speaks_before_the_greeting_is_out_of_step() -> None:
    stage = Stage()
    stage.send(b"EHLO early.example\r\n")
    stage.begin()
    assert stage.heard.startswith(b"554 5.5.")
    check_promises(stage)


def test_a_client_that_speaks_while_the_greeting_is_awaited_is_out_of_step() -> None:
    stage = Stage(ServerScript({"GREETING": SILENT})).begin()
    stage.send(b"EHLO early.example\r\n")
    stage.server.connections[0].end.receive(b"220 mx\r\n")
    stage.settle()
    assert stage.heard.startswith(b"554 5.5.") and stage.server.commands == []
    check_promises(stage)


def test_a_client_that_sends_its_message_before_354_is_out_of_step() -> None:
    stage = reach(4)
    stage.send(b"DATA\r\nSubject: too early\r\n")
    assert replies_in(stage.heard)[-1].startswith(b"554 5.5.")
    check_promises(stage)


def test_a_client_that_sends_its_message_after_data_was_refused_is_out_of_step() -> None:
    stage = reach(1)
    assert stage.ask(b"DATA").startswith(b"503 ")
    assert stage.ask(b"Subject: I did not listen").startswith(b"554 5.5.")
    check_promises(stage)


def test_a_client_may_go_on_after_data_was_refused() -> None:
    stage = reach(1)
    assert stage.ask(b"DATA").startswith(b"503 ")
    assert stage.ask(b"AUTH PLAIN").startswith(b"502 ")
    assert stage.ask(b"WHAT").startswith(b"500 ")
    assert stage.ask(b"MAIL FROM:<a@b.example>").startswith(b"250 ")
    assert stage.ask(b"DATA").startswith(b"503 ")
    check_promises(stage)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"EHLO", b"501"),
        (b"EHLO \xff", b"501"),
        (b"HELO client.example", b"250"),
        (b"MAIL FROM:<a@b.example>", b"503"),
        (b"RCPT TO:<a@b.example>", b"503"),
        (b"DATA now", b"501"),
        (b"STARTTLS", b"503"),
        (b"STARTTLS now", b"501"),
        (b"AUTH PLAIN", b"502"),
        (b"WHAT", b"500"),
        (b"VRFY a", b"252"),
        (b"HELP", b"214"),
        (b"NOOP", b"250"),
        (b"RSET", b"250"),
        (b"BDAT 10 LAST", b"502"),
    ],
)
def test_a_command_before_ehlo_has_its_reply(line: bytes, code: bytes) -> None:
    stage = Stage().begin()
    assert stage.ask(line)[:3] == code
    check_promises(stage)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"MAIL FROM:<d@b.example>", b"503"),
        (b"MAIL FROM:garbage", b"503"),
        (b"RCPT TO:garbage", b"501"),
        (b"RCPT TO:<a\x1b@b.example>", b"501"),
        (b"STARTTLS", b"503"),
        (b"DATA", b"503"),
    ],
)
def test_a_command_after_mail_has_its_reply(line: bytes, code: bytes) -> None:
    stage = reach(2)
    assert stage.ask(line)[:3] == code
    assert not stage.has_ended
    check_promises(stage)


def test_after_helo_no_extension_may_be_used() -> None:
    stage = Stage().begin()
    assert stage.ask(b"EHLO client.example")[:3] == b"250"
    assert stage.ask(b"HELO client.example") == b"250 2.0.0 fine\r\n"
    assert stage.ask(b"MAIL FROM:<a@b.example> SIZE=5")[:3] == b"555"
    check_promises(stage)


def test_a_handshake_that_fails_ends_the_session() -> None:
    stage = reach(1)
    stage.client.handshake = HandshakeFailed("no shared cipher")
    assert stage.ask(b"STARTTLS").startswith(b"220 ")
    assert ends_with(stage, "TLS handshake failed: no shared cipher")
    check_promises(stage)


def test_plaintext_behind_starttls_ends_the_session_without_a_word() -> None:
    stage = reach(1)
    before = len(stage.heard)
    stage.send(b"STARTTLS\r\nNOOP\r\n")
    assert stage.heard[before:] == b""
    check_promises(stage)


def test_where_no_encryption_is_offered_starttls_is_refused() -> None:
    stage = Stage(has_starttls=False).begin()
    assert b"STARTTLS" not in stage.ask(b"EHLO client.example")
    assert stage.ask(b"STARTTLS").startswith(b"503 ")
    check_promises(stage)


def test_a_tenant_that_requires_encryption_takes_no_mail_in_clear() -> None:
    stage = Stage(tls={"clients": "require"}).begin()
    stage.ask(b"EHLO client.example")
    assert stage.ask(b"MAIL FROM:<a@b.example>").startswith(b"530 5.7.0 ")
    check_promises(stage)


# limits


@pytest.mark.parametrize(
    ("line", "count"),
    [
        (b"WHAT\r\n", 20),
        (b"NOOP\n", 20),
        (b"NOOP\r\n", 101),
        (b"RSET\r\n", 101),
        (b"EHLO x\r\n", 102),
        (b"HELO x\r\n", 102),
    ],
)
def test_a_client_that_leads_nowhere_is_hung_up_on(line: bytes, count: int) -> None:
    stage = Stage().begin()
    for _ in range(count):
        assert not stage.has_ended
        stage.send(line)
    assert replies_in(stage.heard)[-1].startswith(b"421 4.7.0 ")
    check_promises(stage)


def test_a_client_that_does_not_take_no_for_an_answer_is_hung_up_on() -> None:
    stage = Stage(ServerScript({"CONNECT": ServerUnreachable("nobody is there")})).begin()
    stage.ask(b"EHLO client.example")
    for _ in range(101):
        assert not stage.has_ended
        stage.send(b"MAIL FROM:<a@b.example>\r\n")
    assert replies_in(stage.heard)[-1].startswith(b"421 4.7.0 ")
    check_promises(stage)


def test_a_thousand_messages_with_rset_between_end_no_session() -> None:
    stage = reach(1)
    for _ in range(1_000):
        stage.send(b"RSET\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@acme.example>\r\nDATA\r\n")
        assert stage.ask(b".")[:3] == b"250"
    assert len(stage.server.messages) == 1_000
    check_promises(stage)


def test_the_thousand_and_first_recipient_is_put_off() -> None:
    stage = reach(2)
    stage.send(b"RCPT TO:<c@acme.example>\r\n" * 1_000)
    assert stage.ask(b"RCPT TO:<d@acme.example>").startswith(b"452 4.5.3 ")
    check_promises(stage)


def test_a_declared_size_past_the_limit_is_refused_at_mail() -> None:
    stage = reach(1)
    assert stage.ask(b"MAIL FROM:<a@b.example> SIZE=60000").startswith(b"552 5.3.4 ")
    check_promises(stage)


def test_a_client_that_never_reads_is_given_up() -> None:
    stage = reach(1)
    stage.client.may_write = False
    stage.send(b"NOOP\r\n")
    stage.advance(70)
    assert ends_with(stage, "timed out")
    check_promises(stage)


def test_a_client_that_never_reads_gets_no_more_replies_however_much_it_asks() -> None:
    stage = reach(1)
    stage.client.may_write = False
    before = len(stage.heard)
    stage.send(b"EHLO client.example\r\n" * 100)
    assert len(stage.heard) == before
    stage.advance(70)
    assert ends_with(stage, "timed out")
    check_promises(stage)


def test_a_client_that_reads_again_in_time_is_served() -> None:
    stage = reach(1)
    stage.client.may_write = False
    stage.send(b"NOOP\r\n")
    stage.advance(50)
    stage.client.resume_writing()
    assert stage.ask(b"NOOP").startswith(b"250 ")
    check_promises(stage)


def test_a_client_that_closes_its_sending_side_and_reads_late_is_answered_to_the_end() -> None:
    stage = reach(1)
    stage.client.may_write = False
    stage.send(b"NOOP\r\nMAIL FROM:<a@b.example>\r\nQUIT\r\n")
    stage.client.eof_received()
    before = len(stage.heard)
    stage.client.resume_writing()
    stage.settle()
    assert [reply[:3] for reply in replies_in(stage.heard[before:])] == [b"250", b"250", b"221"]
    check_promises(stage)


def test_a_client_that_is_lost_while_it_does_not_read_ends_its_session() -> None:
    stage = reach(1)
    stage.client.may_write = False
    stage.send(b"NOOP\r\n")
    stage.leave()
    assert ends_with(stage, "client went away")
    check_promises(stage)


def test_what_a_client_sends_ahead_is_bounded_and_answered_in_the_end() -> None:
    stage = Stage(ServerScript({"EHLO": SILENT})).begin()
    stage.send(b"EHLO client.example\r\n")
    stage.send(b"NOOP\r\n" * 30_000)
    assert not stage.client_end.is_reading
    stage.server.connections[0].end.receive(b"250 mx\r\n")
    stage.settle()
    assert replies_in(stage.heard)[-1].startswith(b"421 4.7.0 ")
    check_promises(stage)
