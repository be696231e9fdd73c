"""The SMTP decoy: talks as the lab's Postfix does, catches everything, and takes no message."""

import base64
import hashlib
import re

import pytest

from services.decoy.dialogues.base import Command, Login, Message
from services.decoy.dialogues.capture import Budget
from tests.decoy.talk import Talk

PLAIN = "25: {protocol: smtp, name: mx.acme.example, ehlo: [PIPELINING, SIZE 1000, CHUNKING, STARTTLS], %s}"
MX = PLAIN % "tls: {names: [mx.acme.example]}, domains: [acme.example], recipients: [alice@acme.example]"
WITH_AUTH = "25: {protocol: smtp, name: mx, ehlo: [PIPELINING, AUTH PLAIN LOGIN CRAM-MD5]}"
ENVELOPE = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@acme.example>\r\n"

# What the lab's own Postfix (3.7, deploy/postfix) answered to the same words.
AS_POSTFIX = [
    ("HELP", "500 5.5.2 Error: command not recognized"),
    ("NOOP x", "250 2.0.0 Ok"),
    ("", "500 5.5.2 Error: bad syntax"),
    ("HELO", "501 Syntax: HELO hostname"),
    ("HELO x y", "250 mx.acme.example"),
    ("EHLO", "501 Syntax: EHLO hostname"),
    ("MAIL", "501 5.5.4 Syntax: MAIL FROM:<address>"),
    ("RCPT TO:<a>", "503 5.5.1 Error: need MAIL command"),
    ("DATA", "503 5.5.1 Error: need RCPT command"),
    ("VRFY", "501 5.5.4 Syntax: VRFY address [SMTPUTF8]"),
    ("VRFY alice@acme.example", "252 2.0.0 alice@acme.example"),
    (
        "VRFY nobody@acme.example",
        "550 5.1.1 <nobody@acme.example>: Recipient address rejected: User unknown in virtual mailbox table",
    ),
    ("ETRN acme.example", "459 <acme.example>: service unavailable"),
    ("ETRN", "500 Syntax: ETRN domain"),
    ("ETRN !!", "501 Error: invalid parameter syntax"),
    ("MAIL TO:<a>", "501 5.5.4 Syntax: MAIL FROM:<address>"),
    ("MAIL FROM:", "501 5.5.4 Syntax: MAIL FROM:<address>"),
    ("MAIL FROM:<a b>", "501 5.1.7 Bad sender address syntax"),
    ("MAIL FROM:<a@b.example> FOO=1", "555 5.5.4 Unsupported option: FOO=1"),
    ("MAIL FROM:<a@b.example> SIZE=99999999", "552 5.3.4 Message size exceeds fixed limit"),
    ("AUTH PLAIN AAAA", "503 5.5.1 Error: authentication not enabled"),
    ("BDAT", "521 5.5.4 Syntax: BDAT count [LAST]"),
    ("XCLIENT x", "550 5.7.0 Error: insufficient authorization"),
    ("EXPN x", "500 5.5.2 Error: command not recognized"),
    ("STARTTLS x", "501 5.5.4 Syntax: STARTTLS"),
    ("QUIT x", "221 2.0.0 Bye"),
    ("GET / HTTP/1.0", "221 2.7.0 Error: I can break rules, too. Goodbye."),
    ("Subject: foo", "221 2.7.0 Error: I can break rules, too. Goodbye."),
    ("\x16\x03\x01", "221 2.7.0 Error: I can break rules, too. Goodbye."),
]


@pytest.mark.parametrize(("line", "answer"), AS_POSTFIX)
def test_a_command_is_answered_as_by_the_real_server(line: str, answer: str) -> None:
    assert Talk(MX).ask(line) == answer


def test_ehlo_announces_what_the_persona_does_in_its_order() -> None:
    talk = Talk(MX)
    assert talk.greeting == "220 mx.acme.example ESMTP Postfix\r\n"
    assert (
        talk.ask("EHLO x")
        == "250-mx.acme.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-CHUNKING\r\n250 STARTTLS"
    )


def test_a_message_is_caught_and_put_off() -> None:
    talk = Talk(MX)
    talk.say(ENVELOPE)
    assert talk.ask("DATA").startswith("354 ")
    body = b"Subject: x\r\n\r\n..dot\r\nend"
    assert talk.say(body + b"\r\n.\r\n") == "451 4.3.0 Error: queue file write error\r\n"
    (message,) = talk.of(Message)
    assert isinstance(message, Message)
    assert (message.sender, message.recipients) == ("a@b.example", ("alice@acme.example",))
    assert message.content.data == b"Subject: x\r\n\r\n.dot\r\nend\r\n"
    assert message.content.sha256 == hashlib.sha256(message.content.data).hexdigest()
    assert talk.ask("DATA") == "503 5.5.1 Error: need RCPT command"


@pytest.mark.parametrize("end", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r\n.\r\n"])
@pytest.mark.parametrize("piece", [0, 1, 3])
def test_bare_newlines_end_a_message_too(end: bytes, piece: int) -> None:
    talk = Talk(MX)
    said = talk.say(ENVELOPE.replace(b"\r\n", b"\n") + b"DATA\nx\ny" + end + b"QUIT\n", piece)
    assert said.endswith("354 End data with <CR><LF>.<CR><LF>\r\n451 4.3.0 Error: queue file write error\r\n"
                         "221 2.0.0 Bye\r\n")  # fmt: skip
    assert talk.is_over


def test_pipelined_commands_are_answered_alike_in_any_pieces() -> None:
    data = ENVELOPE + b"DATA\r\nhello\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nXX\r\nQUIT\r\n"
    assert len({Talk(MX).say(data, piece) for piece in (0, 1, 2, 7, 64)}) == 1


GATEWAY = """\
25: {protocol: smtp, name: mx, ehlo: [PIPELINING], hang_up: [], replies: {
  need_ehlo: "503 5.5.1 EHLO first [{trace}]",
  nested_mail: "503 5.5.1 open already [{trace}]", not_mail: "500 5.5.1 unknown [{trace}]"}}"""


def test_who_stands_in_for_a_gateway_refuses_as_a_gateway_does() -> None:
    talk = Talk(GATEWAY)
    first = talk.ask("MAIL FROM:<>")
    mark = first.removeprefix("503 5.5.1 EHLO first [").removesuffix("-0]")
    assert re.fullmatch("[0-9a-f]{12}", mark)
    assert talk.ask("BDAT 4 LAST") == "502 5.5.1 Error: command not implemented"
    assert talk.ask("GET / HTTP/1.0") == f"500 5.5.1 unknown [{mark}-0]"
    talk.say(b"EHLO x\r\nMAIL FROM:<>\r\n")
    assert talk.ask("MAIL FROM:<>") == f"503 5.5.1 open already [{mark}-1]"


def test_chunks_are_caught_and_the_last_is_put_off() -> None:
    talk = Talk(MX)
    said = talk.say(ENVELOPE + b"BDAT 4\r\nab\r\nBDAT 2 LAST\r\ncdQUIT\r\n", 1)
    assert "250 2.0.0 Ok: 4 bytes\r\n451 4.3.0" in said
    (message,) = talk.of(Message)
    assert isinstance(message, Message)
    assert message.content.data == b"ab\r\ncd"


def test_strangers_are_refused_as_the_persona_says_and_others_relayed_to() -> None:
    talk = Talk(MX)
    talk.say(b"EHLO x\r\nMAIL FROM:<>\r\n")
    assert talk.ask("RCPT TO:<nobody@acme.example>").startswith("550 5.1.1 <nobody@acme.example>: Recipient")
    assert talk.ask("RCPT TO:<victim@elsewhere.example>") == "250 2.1.5 Ok"


def test_a_message_past_the_announced_size_is_refused_as_the_real_server_does() -> None:
    talk = Talk(MX)
    said = talk.say(ENVELOPE + b"DATA\r\n" + b"x" * 2_000 + b"\r\n.\r\n")
    assert said.endswith("552 5.3.4 Error: message file too big\r\n")
    assert isinstance(talk.events[-1], Message)


def test_without_room_a_message_is_only_hashed_and_room_comes_back() -> None:
    budget = Budget(10)
    talk = Talk(MX, budget)
    talk.say(ENVELOPE + b"DATA\r\n" + b"x" * 50 + b"\r\n.\r\n")
    (message,) = talk.of(Message)
    assert isinstance(message, Message)
    assert (message.content.size, message.content.data, message.content.is_whole) == (52, b"", False)
    assert budget.left == 10


def test_a_client_who_leaves_in_the_middle_leaves_nothing_held() -> None:
    budget = Budget(1_000)
    talk = Talk(MX, budget)
    talk.say(ENVELOPE + b"BDAT 10\r\n0123456789DATA\r\n" + b"x" * 50)
    talk.dialogue.close()
    assert budget.left == 1_000


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_log_ins_are_caught_and_refused() -> None:
    talk = Talk(WITH_AUTH)
    talk.ask("EHLO x")
    refusal = "535 5.7.8 Error: authentication failed: (reason unavailable)"
    assert talk.ask(f"AUTH PLAIN {encoded(chr(0) + 'root' + chr(0) + 'toor')}") == refusal
    assert talk.ask("AUTH LOGIN") == "334 VXNlcm5hbWU6"
    assert talk.ask(encoded("admin")) == "334 UGFzc3dvcmQ6"
    assert talk.ask(encoded("geheim")) == refusal
    assert talk.ask("AUTH PLAIN").rstrip() == "334"
    assert talk.ask("*") == "501 5.7.0 Authentication aborted"
    assert talk.ask("AUTH GSSAPI").startswith("535 5.7.8")
    assert talk.ask("AUTH CRAM-MD5").startswith("334 ")
    talk.ask(encoded("eve 1234"))
    assert talk.of(Login) == [
        Login("PLAIN", "root", "toor"),
        Login("LOGIN", "admin", "geheim"),
        Login("CRAM-MD5", "eve", "1234"),
    ]


def test_starttls_forgets_what_was_said_before() -> None:
    talk = Talk(MX)
    assert talk.say(b"STARTTLS\r\nMAIL FROM:<injected@x>\r\n") == "220 2.0.0 Ready to start TLS\r\n"
    assert talk.begins_tls
    talk.dialogue.encrypted()
    assert "STARTTLS" not in talk.ask("EHLO x")
    assert talk.ask("RCPT TO:<a>") == "503 5.5.1 Error: need MAIL command"


def test_who_errs_too_often_is_hung_up_on() -> None:
    talk = Talk(MX)
    for _ in range(20):
        assert talk.ask("FOO").startswith("500")
    assert talk.ask("FOO") == "421 4.7.0 mx.acme.example Error: too many errors"
    assert talk.is_over


def test_a_line_without_end_is_cut_and_answered_once() -> None:
    talk = Talk(MX)
    said = "".join(talk.say(b"A" * 5_000) for _ in range(50))
    assert said == "500 5.5.2 Error: line too long\r\n"
    assert talk.ask("") == ""  # the end of that line
    assert talk.ask("NOOP") == "250 2.0.0 Ok"
    assert all(len(event.text) <= 8_192 for event in talk.events if isinstance(event, Command))


def test_what_an_attacker_says_is_never_echoed_raw() -> None:
    answer = Talk(MX).ask("VRFY \x1b[2Jevil\x07@elsewhere.example")
    assert answer == "252 2.0.0 ?[2Jevil?@elsewhere.example"
