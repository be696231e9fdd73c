"""HTTP, POP3, IMAP, FTP and banners: what clients hear, what is caught, and that no bytes can upset them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.decoy.dialogues.base import Event, Login, Request
from tests.decoy.talk import Talk

HTTP = '80: {protocol: http, headers: [[Server, nginx/1.22.1], [Date, "{date}"], [Content-Length, "{length}"], [Connection, "{connection}"]], body: hello, pages: {/x: {body: extra}}}'  # noqa: E501
POP3 = "110: {protocol: pop3, tls: {names: [x]}, capabilities: [CAPA, STLS, SASL PLAIN]}"
IMAP = "143: {protocol: imap, capabilities: [IMAP4rev1, STARTTLS, AUTH=PLAIN], tls: {names: [x]}}"
FTP = "21: {protocol: ftp}"
BANNER = '9: {protocol: banner, banner: "hello\\r\\n", reply: "what?\\r\\n"}'
SMTP = "25: {protocol: smtp, name: mx, ehlo: [AUTH PLAIN LOGIN]}"
PLAIN = base64.b64encode(b"\0root\0toor").decode()


def requests(talk: Talk) -> list[Request]:
    return [event for event in talk.events if isinstance(event, Request)]


def test_a_page_is_answered_with_the_personas_headers_in_their_order() -> None:
    talk = Talk(HTTP)
    said = talk.say(b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: evil\r\n\r\n", 1)
    assert said == (
        "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Tue, 24 Nov 2026 00:00:00 GMT\r\n"
        "Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"
    )
    (request,) = requests(talk)
    assert (request.method, request.target, request.status) == ("GET", "/", 200)
    assert ("User-Agent", "evil") in request.headers


@pytest.mark.parametrize(
    ("head", "first", "is_over"),
    [
        ("GET /x?y HTTP/1.1\r\nHost: a", "HTTP/1.1 200 OK", False),
        ("GET /nothing HTTP/1.1\r\nHost: a", "HTTP/1.1 404 Not Found", False),
        ("HEAD / HTTP/1.0", "HTTP/1.1 200 OK", True),
        ("DELETE / HTTP/1.1\r\nHost: a", "HTTP/1.1 405 Not Allowed", False),
        ("GET / HTTP/1.1", "HTTP/1.1 400 Bad Request", False),
        ("OPTIONS / RTSP/1.0", "HTTP/1.1 400 Bad Request", True),
        ("get / HTTP/1.1\r\nHost: a", "HTTP/1.1 400 Bad Request", True),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5x", "HTTP/1.1 400 Bad Request", True),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close", "HTTP/1.1 200 OK", True),
        ("GET /", "hello", True),
    ],
)
def test_what_nginx_would_answer_is_answered(head: str, first: str, is_over: bool) -> None:
    talk = Talk(HTTP)
    said = talk.say(head.encode() + b"\r\n\r\n")
    assert said.split("\r\n")[0] == first
    assert talk.is_over is is_over


def test_a_body_is_caught_plain_or_in_chunks() -> None:
    talk = Talk(HTTP)
    talk.say(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nevil", 1)
    chunks = b"2\r\nev\r\n2;x=y\r\nil\r\n0\r\n\r\n"
    talk.say(b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, 1)
    assert [request.body.data for request in requests(talk)] == [b"evil", b"evil"]
    assert not talk.is_over


def test_log_ins_over_http_are_caught() -> None:
    talk = Talk(HTTP)
    basic = base64.b64encode(b"root:a:b").decode()
    talk.say(f"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {basic}\r\n\r\n".encode())
    form = "username=admin&password=s%20x"
    head = "POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded"
    talk.say(f"{head}\r\nContent-Length: {len(form)}\r\n\r\n{form}".encode())
    assert talk.of(Login) == [Login("Basic", "root", "a:b"), Login("form", "admin", "s x")]


def test_tls_on_a_plain_port_is_a_bad_request() -> None:
    assert Talk(HTTP).say(b"\x16\x03\x01\x02\x00\x01").startswith("HTTP/1.1 400 Bad Request")


def test_a_head_without_end_is_refused() -> None:
    talk = Talk(HTTP)
    said = talk.say(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000)
    assert said.startswith("HTTP/1.1 400")
    assert talk.is_over


def test_a_connection_takes_so_many_requests_and_no_more() -> None:
    talk = Talk(HTTP)
    talk.say(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 500)
    assert len(requests(talk)) == 100
    assert talk.is_over


def test_pop3_catches_log_ins_and_refuses_them_as_dovecot_does() -> None:
    talk = Talk(POP3)
    assert talk.greeting == "+OK Dovecot (Debian) ready.\r\n"
    assert talk.ask("PASS x") == "-ERR No username given."
    assert talk.ask("USER root") == "+OK"
    assert talk.ask("PASS to or") == "-ERR [AUTH] Authentication failed."
    assert talk.ask("AUTH PLAIN").rstrip() == "+"
    talk.ask(PLAIN)
    talk.ask("APOP bob 0123")
    assert talk.ask("CAPA") == "+OK\r\nCAPA\r\nSTLS\r\nSASL PLAIN\r\n."
    assert talk.ask("STAT") == "-ERR Unknown command."
    assert talk.ask("QUIT") == "+OK Logging out"
    assert talk.of(Login) == [
        Login("USER", "root", "to or"),
        Login("PLAIN", "root", "toor"),
        Login("APOP", "bob", "0123"),
    ]


def test_imap_catches_log_ins_and_refuses_them_as_dovecot_does() -> None:
    talk = Talk(IMAP)
    assert talk.greeting == "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] Dovecot (Debian) ready.\r\n"
    assert talk.ask('a1 LOGIN root "to \\"or"') == "a1 NO [AUTHENTICATIONFAILED] Authentication failed."
    assert talk.say(b"a2 LOGIN {4}\r\n") == "+ OK\r\n"
    assert talk.say(b"root {4}\r\n") == "+ OK\r\n"
    assert talk.ask("t\nor").startswith("a2 NO")
    assert talk.ask(f"a3 AUTHENTICATE PLAIN {PLAIN}").startswith("a3 NO")
    assert talk.ask("a4 SELECT INBOX") == "a4 BAD Error in IMAP command received by server."
    assert talk.ask("a5 LOGOUT") == "* BYE Logging out\r\na5 OK Logout completed."
    assert talk.of(Login) == [
        Login("LOGIN", "root", 'to "or'),
        Login("LOGIN", "root", "t\nor"),
        Login("PLAIN", "root", "toor"),
    ]


def test_ftp_never_comes_as_far_as_a_data_connection() -> None:
    talk = Talk(FTP)
    assert talk.greeting == "220 (vsFTPd 3.0.3)\r\n"
    assert talk.ask("PASV") == "530 Please login with USER and PASS."
    assert talk.ask("FEAT").startswith("211-Features:\r\n EPRT\r\n")
    for _ in range(3):
        assert talk.ask("USER anonymous") == "331 Please specify the password."
        assert talk.ask("PASS a@b") == "530 Login incorrect."
    assert talk.is_over
    assert talk.of(Login)[0] == Login("USER", "anonymous", "a@b")


def test_a_banner_is_said_and_lines_are_answered() -> None:
    talk = Talk(BANNER)
    assert talk.greeting == "hello\r\n"
    assert talk.say(b"x\ny\n", 1) == "what?\r\nwhat?\r\n"


@pytest.mark.parametrize("service", [HTTP, POP3, IMAP, FTP, BANNER, SMTP])
@given(st.lists(st.binary(max_size=60) | st.sampled_from([
    b"\r\n", b"\n", b"a LOGIN {3}", b"AUTH PLAIN", b"EHLO x", b"MAIL FROM:<>", b"RCPT TO:<a>", b"DATA\r\n",
    b".\r\n", b"BDAT 5\r\n", b"GET / HTTP/1.1\r\n", b"Host: a\r\n", b"Transfer-Encoding: chunked\r\n\r\n",
    b"\0", b"USER x", b"*", b"Content-Length: 3\r\n\r\n", b"A" * 9_000]), max_size=30),
    st.integers(1, 40))  # fmt: skip
def test_any_bytes_in_any_pieces_give_the_same_answers(service: str, parts: list[bytes], piece: int) -> None:
    data = b"".join(parts)
    whole, split = Talk(service), Talk(service)
    assert whole.say(data) == split.say(data, piece)
    assert whole.is_over == split.is_over
    if not any(len(part) > 8_000 for part in parts):
        assert understood(whole) == understood(split)


def understood(talk: Talk) -> list[Event]:
    """Return all events but requests that are none: of these, as much is noted as was there."""
    return [event for event in talk.events if not isinstance(event, Request) or event.method]
