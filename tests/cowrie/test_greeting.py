"""A client's first line is read as sshd reads it; what is expected was read from Debian 12's own sshd."""

import pytest

from services.cowrie.plugin.greeting import refuse

INVALID, DIFFERENT = b"Invalid SSH identification string.\r\n", b"Protocol major versions differ.\r\n"


@pytest.mark.parametrize(
    ("heard", "answer", "has_unread"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", INVALID, True),
        (b"HELP\r\n", INVALID, False),
        (b"SSH-1.5-x\r\n", DIFFERENT, False),
        (b"SSH-3.0-x\r\n", DIFFERENT, False),
        (b"SSH-two\r\n", INVALID, False),
        (b"\x16\x03\x01\x00\xa5", INVALID, True),
        (b"x\ry", INVALID, False),
        (b"A" * 9_000, INVALID, True),
    ],
)
def test_what_is_no_greeting_is_refused_in_sshds_words(heard: bytes, answer: bytes, has_unread: bool) -> None:
    refusal = refuse(heard)
    assert refusal is not None
    assert (refusal.answer, refusal.has_unread) == (answer, has_unread)


@pytest.mark.parametrize(
    "heard", [b"", b"SSH-2.0-x\r\n", b"SSH-2.0-x\n", b"SSH-1.99-x\r\n", b"A" * 300, b"SSH-2.0-x\r\n\0\0"]
)
def test_greetings_and_their_beginnings_are_let_through(heard: bytes) -> None:
    assert refuse(heard) is None
