"""Health checks of services, made from inside a host of the lab. Each returns the problem, or an empty text.

A listening socket is not enough: the kernel accepts connections for a program that hangs or restarts.
"""

import socket
import subprocess
from pathlib import Path

from lab import namespaces

_TIMEOUT_S = 4.0
_HELD_UP_S = 3  # how much longer than its own time limit a client may take to start and end
OWN_HOST, AGENT = (
    "127.0.0.1",
    "127.0.0.2",
)  # addresses of a health agent's checks; gateways do not treat it as a client
_LARGEST_LINE_BYTES = 4096
_LARGEST_REPLY_BYTES = 65536
_SMTP_PORT = 25


def smtp_banner(pin: Path, address: str) -> str:
    """Ask for an SMTP greeting, and quit (RFC 5321, 4.3.1)."""
    try:
        with connect(pin, address, _SMTP_PORT) as connection:
            line = _line(connection)
            connection.sendall(b"QUIT\r\n")
            _line(connection)
    except OSError as error:
        return f"no SMTP greeting from [{address}]:{_SMTP_PORT}: {_reason(error)}"
    return (
        ""
        if line.startswith(b"220")
        else f"[{address}]:{_SMTP_PORT} greets with {line.decode(errors='replace')!r}"
    )


def takes_mail(pin: Path, address: str) -> str:
    """Ask whether mail is accepted, up to MAIL: a responder also greets."""
    try:
        with connect(pin, address, _SMTP_PORT) as connection:
            replies = [_reply(connection)]
            for command in (b"EHLO probe.example\r\n", b"MAIL FROM:<>\r\n"):
                connection.sendall(command)
                replies.append(_reply(connection))
            connection.sendall(b"QUIT\r\n")
            _reply(connection)
    except OSError as error:
        return f"no SMTP dialogue with [{address}]:{_SMTP_PORT}: {_reason(error)}"
    refused = next((reply for reply in replies if not reply.startswith(b"2")), None)
    return f"[{address}]:{_SMTP_PORT} says {refused.decode(errors='replace')!r}" if refused else ""


def clamd_ping(pin: Path, address: str, port: int) -> str:
    """Ask clamd whether it is alive (clamd(8), PING)."""
    try:
        with connect(pin, address, port) as connection:
            connection.sendall(b"zPING\0")
            answer = connection.recv(64)
    except OSError as error:
        return f"clamd does not answer at [{address}]:{port}: {_reason(error)}"
    return "" if answer == b"PONG\0" else f"clamd at [{address}]:{port} answers {answer!r}"


def smtp_dialogue(pin: Path) -> str:
    """Hold the dialogue with a gateway or responder that a health agent beside it would hold."""
    try:
        with connect(pin, OWN_HOST, 25, source=AGENT) as connection:
            replies = [_reply(connection)]
            connection.sendall(b"EHLO lab.invalid\r\n")
            replies.append(_reply(connection))
            connection.sendall(b"QUIT\r\n")
    except OSError as error:
        return f"no SMTP dialogue from its own host: {_reason(error)}"
    wrong = next((reply for reply in replies if not reply.startswith(b"2")), None)
    return f"replies to an agent with {wrong.decode(errors='replace')!r}" if wrong else ""


def http(pin: Path, address: str, port: int = 80, path: str = "/") -> str:
    """Ask for a page; any final status except a server error is good (RFC 9110, 15)."""
    name = f"[{address}]" if ":" in address else address
    try:
        with connect(pin, address, port) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            line = _line(connection)
    except OSError as error:
        return f"no HTTP answer from {name}:{port}: {_reason(error)}"
    words = line.split()
    is_answer = line.startswith(b"HTTP/1.") and len(words) > 1 and words[1][:1] in b"234"
    return "" if is_answer else f"{name}:{port} answers GET {path} with {line.decode(errors='replace')!r}"


def ssh(pin: Path, address: str, port: int = 22) -> str:
    """Exchange keys with an SSH server, as ssh-keyscan(1) does, until it has proved its host key."""
    command = ["ssh-keyscan", "-T", f"{_TIMEOUT_S:.0f}", "-p", str(port), "-t", "ed25519", address]
    try:
        done = namespaces.run_inside(pin, command, _TIMEOUT_S + _HELD_UP_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no SSH key exchange with [{address}]:{port}: {error}"
    if any(" ssh-ed25519 " in line for line in done.stdout.splitlines() if not line.startswith("#")):
        return ""
    said = done.stderr.strip().splitlines()
    return f"no SSH key exchange with [{address}]:{port}: {said[-1] if said else 'no answer in time'}"


def greeting(pin: Path, address: str, port: int) -> str:
    """Wait for the first byte from a server."""
    try:
        with connect(pin, address, port) as connection:
            return "" if connection.recv(1) else f"[{address}]:{port} closes the connection at once"
    except OSError as error:
        return f"no greeting from [{address}]:{port}: {_reason(error)}"


def connect(
    pin: Path, address: str, port: int, timeout_s: float = _TIMEOUT_S, source: str = ""
) -> socket.socket:
    """Return a TCP connection made from inside a host. Raise `OSError`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = namespaces.socket_inside(pin, family, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        if source:
            connection.bind((source, 0))
        connection.connect((address, port))
    except BaseException:
        connection.close()
        raise
    return connection


def _reply(connection: socket.socket) -> bytes:
    """Return the last line of a reply (RFC 5321, 4.2)."""
    held = b""
    while not (lines := held.splitlines()) or not held.endswith(b"\n") or lines[-1][3:4] == b"-":
        more = connection.recv(1024)
        if not more or len(held) > _LARGEST_REPLY_BYTES:
            raise ConnectionError("the connection was closed, or the reply has no end")
        held += more
    return lines[-1]


def _line(connection: socket.socket) -> bytes:
    held = b""
    while not held.endswith(b"\n") and len(held) < _LARGEST_LINE_BYTES:
        more = connection.recv(1024)
        if not more:
            raise ConnectionError("the connection was closed")
        held += more
    return held.strip()


def _reason(error: OSError) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error.strerror or error)
