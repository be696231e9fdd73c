"""An agent tells services that answer from those that only listen."""

import asyncio
import contextlib
import socket
import threading

import pytest

from services.agent.checks import parse_check
from services.agent.main import main


def look_at(kind: str, answer: bytes | None) -> str:
    """Run a check against a server that says one thing; None: it accepts, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=_serve_one, args=(listener, answer))
        serving.start()
        problem = asyncio.run(parse_check(f"{kind}:127.0.0.1:{listener.getsockname()[1]}", 0.3)())
        serving.join()
        return problem


def _serve_one(listener: socket.socket, answer: bytes | None) -> None:
    connection, _ = listener.accept()
    with connection, contextlib.suppress(ConnectionError):
        connection.settimeout(10)
        if answer is not None:
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
        while connection.recv(1024):
            continue


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("smtp", b"220 mx\r\n"),
        ("smtp", b"421 4.3.2 no mail server at that address\r\n"),
        ("clamd", b"PONG\0"),
    ],
)
def test_a_service_that_answers_is_well(kind: str, answer: bytes) -> None:
    assert look_at(kind, answer) == ""


@pytest.mark.parametrize(
    ("kind", "answer", "why"),
    [
        ("smtp", None, "no answer within 0.3 s"),
        ("smtp", b"", "0 bytes"),
        ("smtp", b"hello there\r\n", "greets with"),
        ("smtp", b"x" * 10_000, "limit"),
        ("clamd", None, "no answer within 0.3 s"),
        ("clamd", b"UNKNOWN COMMAND\0", "answers PING with"),
    ],
)
def test_a_service_that_does_not_is_named_with_the_reason(kind: str, answer: bytes | None, why: str) -> None:
    problem = look_at(kind, answer)
    assert problem.startswith(f"{kind}:127.0.0.1:")
    assert why in problem


def test_a_port_where_nobody_listens_is_a_problem_and_no_crash() -> None:
    assert "Connect call failed" in asyncio.run(parse_check("smtp:127.0.0.1:1", 0.3)())


@pytest.mark.parametrize("text", ["smtp", "smtp:25", "http:127.0.0.1:80", "smtp:127.0.0.1:x", ""])
def test_what_is_no_check_is_refused_with_a_remedy(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--api", "unix:/none", "--member", "p.m", "--check", text]) == 2
    assert "remedy: write smtp:127.0.0.1:25" in capsys.readouterr().err
