"""Every failure of the tenant's server at every step of a session, in memory."""

import pytest

from services.mail.events import MailEvent
from services.mail.relay.ports import HandshakeFailed, ServerUnreachable
from tests.mail.playbook.memory import Promise
from tests.mail.playbook.sender import DIALOGUE, MESSAGE, Sender, check_promises, reach
from tests.mail.playbook.stage import EHLO_WITH_TLS, LOST, SILENT, Say, ServerScript, Stage, Step

VERBS = ("GREETING", "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "BODY", "DOT", "RSET", "QUIT")
FAILURES: dict[str, Step] = {
    "lost": LOST,
    "silent": SILENT,
    "slow": Say(b"250 2.0.0 at last\r\n", after_s=50),
    "half a reply, then lost": Say(b"250-2.0", hangs_up=True),
    "half a reply, then silent": b"250 2.0.0 fi",
    "garbage": b"hello?\r\n",
    "binary garbage": b"\0\xff\r\n",
    "a bare LF": b"250 a\nb\r\n",
    "codes that differ": b"250-a\r\n550 b\r\n",
    "endless line": b"250 " + b"x" * 70_000,
    "endless reply": b"250-x\r\n" * 700,
    "intermediate": b"334 go on\r\n",
    "354": b"354 go on\r\n",
    "accepted": b"250 2.0.0 fine\r\n",
    "421": b"421 4.3.2 closing\r\n",
    "421, then lost": Say(b"421 4.3.2 closing\r\n", hangs_up=True),
    "450": b"450 4.7.1 greylisted\r\n",
    "550": b"550-5.1.1 no\r\n550 5.1.1 such user\r\n",
    "two replies": b"250 2.0.0 fine\r\n250 2.0.0 and again\r\n",
    "reply, then lost": Say(b"250 2.0.0 fine\r\n", hangs_up=True),
}


@pytest.mark.parametrize("is_stubborn", [False, True], ids=["polite", "stubborn"])
@pytest.mark.parametrize("happens", ["once", "always"])
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("verb", VERBS)
def test_each_command_gets_one_reply_whatever_the_server_does(
    verb: str, failure: str, happens: str, is_stubborn: bool
) -> None:
    step = FAILURES[failure]
    script = ServerScript({verb: [step] if happens == "once" else step})
    if verb == "STARTTLS":
        script.ehlo = EHLO_WITH_TLS
    sender = Sender(Stage(script), is_stubborn).run()
    replies = [sender.replies.get(each, b"") for each in ("GREETING", "EHLO", "MAIL", "RCPT", "MESSAGE")]
    own = [reply for reply in replies if b"5e5510" in reply]
    assert not [reply for reply in own if reply[:1] == b"5" and b" 5.5.1 " not in reply]


@pytest.mark.parametrize("failure", ["450", "550", "421"])
@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "DOT"])
def test_a_refusal_reaches_the_client_word_for_word(verb: str, failure: str) -> None:
    if (verb, failure) == ("EHLO", "550"):
        return  # an old server may still know HELO
    step = FAILURES[failure]
    sender = Sender(Stage(ServerScript({verb: step}))).run()
    assert sender.replies[{"DATA": "MESSAGE", "DOT": "MESSAGE"}.get(verb, verb)] == step


@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "DOT", "RSET"])
def test_a_421_of_the_server_ends_the_session(verb: str) -> None:
    stage = Stage(ServerScript({verb: FAILURES["421"]}))
    Sender(stage, is_stubborn=True).run()
    assert stage.heard.endswith(b"421 4.3.2 closing\r\n")
    assert "421 4.3.2 closing" in str(stage.journal.of(MailEvent.SESSION_CLOSED)[0]["reason"])


@pytest.mark.parametrize(
    ("failure", "reply"),
    [("lost", b"451 4.4.2 "), ("silent", b"451 4.4.2 "), ("garbage", b"451 4.5.0 "), ("354", b"451 4.5.0 ")],
)
@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT"])
def test_a_server_that_fails_at_a_command_means_try_again(verb: str, failure: str, reply: bytes) -> None:
    sender = Sender(Stage(ServerScript({verb: FAILURES[failure]}))).run()
    assert sender.replies[verb].startswith(reply)


@pytest.mark.parametrize("failure", ["lost", "silent", "garbage", "354", "endless line"])
def test_a_server_that_fails_after_the_dot_leaves_the_message_in_doubt(failure: str) -> None:
    stage = Stage(ServerScript({"DOT": FAILURES[failure]}))
    sender = Sender(stage).run()
    assert sender.replies["MESSAGE"].startswith(b"451 4.4.2 ")
    (doubt,) = stage.journal.of(MailEvent.DELIVERY_IN_DOUBT)
    assert (doubt["message_id"], doubt["sent_bytes"]) == ("<1@b.example>", len(MESSAGE) + 2)


@pytest.mark.parametrize("more", [b"250 2.0.0 fine\r\n", b"354 go\r\n", b"2", b"hello?\r\n"])
def test_a_server_that_speaks_before_the_dot_is_not_believed(more: bytes) -> None:
    stage = Stage(ServerScript({"DATA": b"354 go\r\n" + more}))
    assert Sender(stage).run().replies["MESSAGE"].startswith(b"451 4.5.0 ")
    assert stage.journal.of(MailEvent.DELIVERY_IN_DOUBT) == []
    assert stage.server.messages == []


@pytest.mark.parametrize("second", [b"250 2.0.0 queued\r\n", b"554 5.7.1 no\r\n"])
def test_a_server_with_two_replies_to_one_message_leaves_it_in_doubt(second: bytes) -> None:
    stage = Stage(ServerScript({"DOT": b"250 2.0.0 queued\r\n" + second}))
    assert Sender(stage).run().replies["MESSAGE"].startswith(b"451 4.4.2 ")
    assert len(stage.journal.of(MailEvent.DELIVERY_IN_DOUBT)) == 1


@pytest.mark.parametrize(
    "step", [ServerUnreachable("refused"), LOST, SILENT, b"354 hello\r\n", b"hello?\r\n"]
)
def test_without_the_server_every_message_is_deferred_by_the_gateway(step: Step) -> None:
    where = "CONNECT" if isinstance(step, ServerUnreachable) else "GREETING"
    stage = Stage(ServerScript({where: step}))
    sender = Sender(stage, is_stubborn=True).run()
    assert sender.replies["GREETING"] == b"220 postern ESMTP\r\n"
    assert sender.replies["EHLO"] == b"250 postern\r\n"
    assert all(sender.replies[verb].startswith(b"451 4.4.1 ") for verb in ("MAIL", "RCPT", "DATA"))
    assert (sender.replies["RSET"][:3], sender.replies["QUIT"][:3]) == (b"250", b"221")
    assert stage.server.commands == []


@pytest.mark.parametrize("hangs_up", [False, True])
@pytest.mark.parametrize("step", range(1, 4))
def test_a_server_that_ends_the_session_on_its_own_is_heard_by_the_client(step: int, hangs_up: bool) -> None:
    stage = Stage().begin()
    for _, line in DIALOGUE[:step]:
        stage.ask(line)
    stage.server.connections[0].say(Say(b"421 4.4.2 idle for too long\r\n", hangs_up=hangs_up))
    stage.settle()
    assert stage.ask(DIALOGUE[step][1]) == b"421 4.4.2 idle for too long\r\n"
    assert stage.has_ended
    check_promises(stage)


@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_server_that_ends_the_session_while_the_client_sends_gets_the_message_anew(hangs_up: bool) -> None:
    stage = Stage().begin()
    for _, line in DIALOGUE[:5]:
        stage.ask(line)
    stage.server.connections[0].say(Say(b"421 4.4.2 idle for too long\r\n", hangs_up=hangs_up))
    stage.settle()
    assert stage.ask(DIALOGUE[5][1]) == b"250 2.0.0 queued as 1\r\n"
    assert len(stage.server.connections) == 2
    check_promises(stage)


@pytest.mark.parametrize(
    "said", [b"250 2.0.0 what?\r\n", b"421 closing\r\n421 closing\r\n", b"garbage\r\n", b"42"]
)
def test_a_server_that_says_anything_else_on_its_own_is_not_believed(said: bytes) -> None:
    stage = Stage().begin()
    stage.ask(DIALOGUE[0][1])
    stage.server.connections[0].say(Say(said))
    stage.settle()
    assert stage.ask(DIALOGUE[1][1]).startswith(b"451 4.5.0 ")
    check_promises(stage)


# lost between the envelope and DATA: the envelope is offered again

CHANGES: dict[str, dict[str, Step]] = {
    "unreachable": {"CONNECT": ServerUnreachable("refused")},
    "refuses to talk": {"GREETING": b"554 5.7.1 go away\r\n"},
    "is closing": {"GREETING": b"421 4.3.2 closing\r\n"},
    "refuses EHLO": {"EHLO": b"450 4.7.1 later\r\n"},
    "refuses MAIL": {"MAIL": b"550 5.7.1 no\r\n"},
    "refuses RCPT": {"RCPT": b"550 5.1.1 no more\r\n"},
    "is lost at RCPT": {"RCPT": LOST},
    "talks nonsense": {"MAIL": b"what?\r\n"},
    "is silent": {"EHLO": SILENT},
    "refuses DATA": {"DATA": b"452 4.3.1 full\r\n"},
    "is lost at DATA": {"DATA": LOST},
    "takes DATA for granted": {"DATA": b"250 fine\r\n"},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("loss", ["at DATA", "while the client sends"])
def test_a_server_that_is_lost_and_then_answers_otherwise_gets_the_client_one_reply(
    change: str, loss: str
) -> None:
    stage = Stage(ServerScript()).begin()
    for line in (b"EHLO c.example", b"MAIL FROM:<a@b.example>", b"RCPT TO:<c@acme.example>", b"DATA"):
        assert stage.ask(line)[:1] in b"23"
    if loss == "at DATA":
        stage.server.script["DATA"] = [LOST]
    else:
        stage.server.connections[0].end.lose()
        stage.settle()
    for verb, step in CHANGES[change].items():
        lost_first = stage.server.script.get(verb, [])
        assert isinstance(lost_first, list)
        stage.server.script[verb] = [*lost_first, step, step]
    sender = Sender(stage)
    assert sender.ask("MESSAGE", MESSAGE + b"\r\n.")[:1] in b"4"
    assert stage.server.messages == []
    assert sender.ask("NOOP", b"NOOP")[:3] == b"250"
    check_promises(stage)


def test_a_server_that_refuses_the_envelope_the_second_time_is_named_with_its_words() -> None:
    stage = Stage(
        ServerScript({"DATA": [LOST], "RCPT": [b"250 ok\r\n", b"250 ok\r\n", b"550 5.1.1 no more\r\n"]})
    )
    assert Sender(stage).run().replies["MESSAGE"].startswith(b"451 4.4.2 ")
    (deferred,) = stage.journal.of(MailEvent.MESSAGE_DEFERRED)
    assert str(deferred["reason"]).endswith("550 5.1.1 no more")


def test_a_server_that_is_lost_and_comes_back_gets_the_message_once() -> None:
    stage = Stage(ServerScript({"DATA": [LOST]}))
    sender = Sender(stage).run()
    assert sender.replies["MESSAGE"] == b"250 2.0.0 queued as 1\r\n"
    assert stage.server.messages == [MESSAGE + b"\r\n"]
    assert len(stage.server.connections) == 2


# encryption towards the server


@pytest.mark.parametrize("wanted", ["require", "verify"])
@pytest.mark.parametrize(
    "script",
    [
        {"EHLO": b"250 mx\r\n"},
        {"STARTTLS": b"454 4.7.0 not now\r\n"},
        {"STARTTLS": b"220 go\r\n250 injected\r\n"},
        {"HANDSHAKE": HandshakeFailed("no")},
        {"EHLO": b"500 what?\r\n"},
    ],
)
def test_a_server_that_must_encrypt_gets_nothing_in_clear(wanted: str, script: dict[str, Step]) -> None:
    stage = Stage(ServerScript({**script}, EHLO_WITH_TLS), tls={"server": wanted})
    sender = Sender(stage, is_stubborn=True).run()
    assert sender.replies["EHLO"].startswith(b"451 4.7.5 ")
    assert not [line for line in stage.server.commands if line[:4] in (b"MAIL", b"RCPT", b"DATA")]
    assert len(stage.server.connections) == 1  # and no second one in clear


@pytest.mark.parametrize("wanted", ["require", "verify"])
def test_a_server_that_encrypted_and_does_not_the_second_time_gets_no_message(wanted: str) -> None:
    script = ServerScript({"DATA": [LOST], "HANDSHAKE": [b"", HandshakeFailed("no")]}, EHLO_WITH_TLS)
    sender = Sender(Stage(script, tls={"server": wanted})).run()
    assert sender.replies["MESSAGE"].startswith(b"451 4.7.5 ")
    assert script.messages == []


@pytest.mark.parametrize(
    ("script", "reply"),
    [
        ({}, b"250"),
        ({"GREETING": [b"220 mx\r\n", b"554 5.7.1 once is enough\r\n"]}, b"554"),
        ({"EHLO": [EHLO_WITH_TLS, b"550 5.7.1 not in clear\r\n"]}, b"550"),
    ],
)
def test_where_encryption_is_only_wished_for_the_clients_ehlo_is_answered_by_the_second_connection(
    script: dict[str, Step | list[Step]], reply: bytes
) -> None:
    server = ServerScript({"HANDSHAKE": HandshakeFailed("no"), **script}, EHLO_WITH_TLS)
    assert Sender(Stage(server)).run().replies["EHLO"][:3] == reply
    assert len(server.connections) == 2 and not server.connections[1].is_encrypted


def test_a_tenant_may_have_mail_delivered_in_clear() -> None:
    script = ServerScript(ehlo=EHLO_WITH_TLS)
    Sender(Stage(script, tls={"server": "none"})).run()
    assert b"STARTTLS" not in script.commands


# slow, and large


def test_a_server_that_takes_its_time_everywhere_still_gets_the_message() -> None:
    verbs = {
        "MAIL": b"250 ok\r\n",
        "RCPT": b"250 ok\r\n",
        "DATA": b"354 go\r\n",
        "DOT": b"250 2.0.0 queued\r\n",
    }
    script = ServerScript({verb: Say(reply, after_s=55) for verb, reply in verbs.items()})
    assert Sender(Stage(script)).run().replies["MESSAGE"] == b"250 2.0.0 queued\r\n"


@pytest.mark.parametrize(("verb", "step"), [("RCPT", 2), ("DOT", 5)])
def test_a_server_whose_reply_comes_byte_by_byte_must_end_it_in_time(verb: str, step: int) -> None:
    stage = reach(step, Stage(ServerScript({verb: SILENT})))
    before = len(stage.heard)
    stage.ask(DIALOGUE[step][1])
    for byte in b"250-still":
        stage.server.connections[0].end.receive(bytes([byte]))
        stage.advance(50)
    assert stage.heard[before:].startswith(b"451 4.4.2 ")
    check_promises(stage)


def test_a_server_that_stops_reading_is_given_up_before_the_dot() -> None:
    stage = Stage(room_bytes=1_000_000).begin()
    for line in (b"EHLO c.example", b"MAIL FROM:<a@b.example>", b"RCPT TO:<c@acme.example>", b"DATA"):
        stage.ask(line)
    stage.server.connections[0].may_write = False
    sender = Sender(stage)
    for _ in range(4):
        stage.send(b"x" * 10_000)
    assert sender.ask("MESSAGE", b".\r\n.")[:10] == b"451 4.4.2 "
    check_promises(stage)


def test_a_server_that_reads_slowly_gets_the_whole_message() -> None:
    stage = Stage().begin()
    for line in (b"EHLO c.example", b"MAIL FROM:<a@b.example>", b"RCPT TO:<c@acme.example>", b"DATA"):
        stage.ask(line)
    wire = stage.server.connections[0]
    wire.may_write = False
    for _ in range(4):
        stage.send(b"x" * 10_000)
    assert stage.ask(b"\r\n.") == b""
    stage.advance(30)
    wire.resume_writing()
    stage.settle()
    assert stage.heard.endswith(b"250 2.0.0 queued as 1\r\n")
    assert stage.server.messages == [b"x" * 40_000 + b"\r\n"]
    check_promises(stage)


def test_a_connection_that_is_being_made_can_be_waited_for() -> None:
    door = Promise()
    stage = Stage(ServerScript({"CONNECT": [door]})).begin()
    assert stage.heard == b""
    door.keep()
    stage.settle()
    assert stage.heard.startswith(b"220 mx.acme.example")
    check_promises(stage)
