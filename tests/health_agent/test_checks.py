"""An agent tells services that answer from those that only listen."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from common.wire.health import Check, ClamdCheck, HttpCheck, SmtpCheck, TcpCheck
from services.health_agent import checks
from services.health_agent.checks import HeldUp, bounded, carry_out

EHLO = b"250-edge.example\r\n250-SIZE 1000\r\n250 8BITMIME\r\n"


def look_at(check: Callable[[int], Check], *answers: bytes, within_s: float = 10.0) -> str:
    """Run a check against a server that says one thing after the other, and then nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=_serve_one, args=(listener, answers))
        serving.start()
        problem = asyncio.run(carry_out(check(listener.getsockname()[1]), "127.0.0.1", within_s))
        serving.join()
        return problem


def _serve_one(listener: socket.socket, answers: tuple[bytes, ...]) -> None:
    """Say the first answer at once, and each other one when something was heard."""
    connection, _ = listener.accept()
    with connection, contextlib.suppress(ConnectionError):
        connection.settimeout(10)
        for number, answer in enumerate(answers):
            if number:
                connection.recv(1024)
            connection.sendall(answer)
        while connection.recv(1024):
            continue


def page(port: int) -> Check:
    return HttpCheck(port, "/daily.cvd", 200)


def ssh(port: int) -> Check:
    return TcpCheck(port, "SSH-2.0-")


def anything(port: int) -> Check:
    return TcpCheck(port, "")


@pytest.mark.parametrize(
    ("check", "answers"),
    [
        (SmtpCheck, [b"220 edge ESMTP\r\n", b"250 edge\r\n"]),
        (SmtpCheck, [b"220-edge\r\n220 ESMTP\r\n", EHLO]),
        (ClamdCheck, [b"", b"PONG\0"]),
        (page, [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"]),
        (page, [b"", b"HTTP/1.0 200\r\n\r\n"]),
        (ssh, [b"SSH-2.0-OpenSSH_9.2\r\n"]),
        (anything, []),
    ],
)
def test_a_service_that_answers_is_well(check: Callable[[int], Check], answers: list[bytes]) -> None:
    assert look_at(check, *answers) == ""


@pytest.mark.parametrize(
    ("check", "answers", "why"),
    [
        (SmtpCheck, [], "no answer within 0.3 s"),
        (SmtpCheck, [b"220 edge ESMTP\r\n"], "no answer within 0.3 s"),
        (SmtpCheck, [b"421 4.3.2 try again\r\n"], "greets with b'421"),
        (SmtpCheck, [b"220 edge\r\n", b"451 no\r\n"], "answers EHLO with b'451"),
        (SmtpCheck, [b"220 edge\r\n", b"250-edge\r\n"], "no answer within 0.3 s"),
        (SmtpCheck, [b"220-edge\r\n" * 500], "greets with an endless reply"),
        (SmtpCheck, [b"hello there\r\n"], "greets with"),
        (SmtpCheck, [b"x" * 50_000], "limit"),
        (ClamdCheck, [], "no answer within 0.3 s"),
        (ClamdCheck, [b"", b"UNKNOWN COMMAND\0"], "answers PING with"),
        (page, [b"", b"HTTP/1.1 503 Busy\r\n\r\n"], "answers GET /daily.cvd with status 503"),
        (page, [b"", b"220 edge ESMTP\r\n\r\n"], "answers GET /daily.cvd with b'220"),
        (page, [b"", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000], "limit"),
        (ssh, [b"HTTP/1.1 400 Bad Request"], "sends b'HTTP/1.1' instead of 'SSH-2.0-'"),
        (ssh, [b"SSH"], "no answer within 0.3 s"),
    ],
)
def test_a_service_that_does_not_is_named_with_the_reason(
    check: Callable[[int], Check], answers: list[bytes], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_LATE_S", 10.0)  # a machine that is held up is another test's
    problem = look_at(check, *answers, within_s=0.3 if why.startswith("no answer") else 10.0)
    assert ":127.0.0.1:" in problem
    assert why in problem


def test_a_service_that_hangs_up_is_a_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hanging_up = threading.Thread(target=lambda: listener.accept()[0].close())
        hanging_up.start()
        problem = asyncio.run(carry_out(SmtpCheck(listener.getsockname()[1]), "127.0.0.1", 5.0))
        hanging_up.join()
    assert "closed the connection after 0 bytes" in problem


def test_a_port_where_nobody_listens_is_a_problem_and_no_crash() -> None:
    assert "Connect call failed" in asyncio.run(carry_out(SmtpCheck(1), "127.0.0.1", 0.3))


def test_an_agent_that_was_held_up_itself_blames_nobody() -> None:
    async def hold_everything_up() -> str:
        asyncio.get_running_loop().call_later(0.05, time.sleep, 0.6)
        return await bounded(0.1, _never)

    with pytest.raises(HeldUp):
        asyncio.run(hold_everything_up())


def _never() -> Awaitable[str]:
    return asyncio.get_running_loop().create_future()
