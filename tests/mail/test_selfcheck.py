"""The gateway answers an agent on its own host, and takes no mail there."""

import socket
import time
from contextlib import ExitStack

import pytest

from services.base.sessions import AGENT_LIMITS, ALL
from tests.mail.conftest import RunningGateway
from tests.mail.scripted import ScriptedServer

pytestmark = pytest.mark.programs


def converse(gateway: RunningGateway, said: bytes) -> bytes:
    """Say it all at once, as an agent on the gateway's host; return all that is answered."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(said)
        heard = b""
        while more := connection.recv(4096):
            heard += more
        return heard


def test_an_agent_hears_which_settings_are_carried_out(gateway: RunningGateway) -> None:
    assert converse(gateway, b"EHLO agent.invalid\r\nQUIT\r\n") == (
        b"220 postern ESMTP\r\n250 postern carries out revision 1\r\n221 2.0.0 bye\r\n"
    )


def test_nobodys_server_is_asked(gateway: RunningGateway, server: ScriptedServer) -> None:
    converse(gateway, b"EHLO agent.invalid\r\nQUIT\r\n")
    assert server.connections == 0
    assert gateway.events("SessionOpened") == []
    assert gateway.events("SessionRefused") == []


def test_no_mail_is_taken_at_the_gateways_own_address(gateway: RunningGateway) -> None:
    heard = converse(
        gateway, b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nQUIT\r\n"
    )
    assert [line[:3] for line in heard.splitlines()] == [b"220", b"250", b"502", b"502", b"502", b"221"]


def test_who_talks_without_end_is_sent_away(gateway: RunningGateway) -> None:
    heard = converse(gateway, b"NOOP\r\n" * 10)
    assert heard.splitlines()[-1].startswith(b"421 ")


def test_a_line_that_is_none_ends_the_dialogue(gateway: RunningGateway) -> None:
    assert converse(gateway, b"EHLO a\nQUIT\n").splitlines()[-1].startswith(b"500 ")


def test_agents_that_stay_are_bounded_and_new_ones_are_answered_again_later(gateway: RunningGateway) -> None:
    with ExitStack() as stack:
        for _ in range(AGENT_LIMITS[ALL]):
            held = stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port), timeout=10))
            assert held.recv(3) == b"220"
        assert converse(gateway, b"") == b""
    deadline = time.monotonic() + 60
    while not is_answered(gateway):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_answered(gateway: RunningGateway) -> bool:
    try:
        return converse(gateway, b"QUIT\r\n").startswith(b"220")
    except ConnectionError:
        return False
