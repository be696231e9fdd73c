"""Questions to services, asked from inside a host of the lab. Each answer is what is wrong, or nothing."""

import socket
from pathlib import Path

from lab import namespaces

_TIMEOUT_S = 4.0
_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp, proc(5)
_LARGEST_LINE_BYTES = 4096
_LARGEST_REPLY_BYTES = 65536


def smtp_banner(pin: Path, address: str, port: int = 25) -> str:
    """Ask for an SMTP greeting and take leave (RFC 5321, 4.3.1)."""
    try:
        with connect(pin, address, port) as connection:
            line = _line(connection)
            connection.sendall(b"QUIT\r\n")
            _line(connection)
    except OSError as error:
        return f"no SMTP greeting from [{address}]:{port}: {_reason(error)}"
    return (
        "" if line.startswith(b"220") else f"[{address}]:{port} greets with {line.decode(errors='replace')!r}"
    )


def takes_mail(pin: Path, address: str, port: int = 25) -> str:
    """Ask whether mail is taken, as far as MAIL: a greeting alone may be that of a responder."""
    try:
        with connect(pin, address, port) as connection:
            replies = [_reply(connection)]
            for command in (b"EHLO probe.example\r\n", b"MAIL FROM:<>\r\n"):
                connection.sendall(command)
                replies.append(_reply(connection))
            connection.sendall(b"QUIT\r\n")
            _reply(connection)
    except OSError as error:
        return f"no SMTP dialogue with [{address}]:{port}: {_reason(error)}"
    refused = next((reply for reply in replies if not reply.startswith(b"2")), None)
    return f"[{address}]:{port} says {refused.decode(errors='replace')!r}" if refused else ""


def clamd_ping(pin: Path, address: str, port: int) -> str:
    """Ask clamd whether it lives (clamd(8), PING)."""
    try:
        with connect(pin, address, port) as connection:
            connection.sendall(b"zPING\0")
            answer = connection.recv(64)
    except OSError as error:
        return f"clamd does not answer at [{address}]:{port}: {_reason(error)}"
    return "" if answer == b"PONG\0" else f"clamd at [{address}]:{port} answers {answer!r}"


def listens(pin: Path, port: int) -> str:
    """Look whether a host has a listener on a TCP port, without making a connection."""
    ending = f":{port:04X}"
    try:
        with namespaces.inside(pin):
            rows = [
                row.split()
                for table in ("tcp", "tcp6")
                for row in Path(f"/proc/thread-self/net/{table}").read_text(encoding="utf-8").splitlines()[1:]
            ]
    except OSError as error:
        return f"the host has gone: {_reason(error)}"
    is_there = any(fields[1].endswith(ending) and fields[3] == _LISTEN for fields in rows)
    return "" if is_there else f"nothing listens on port {port}"


def connect(pin: Path, address: str, port: int, timeout_s: float = _TIMEOUT_S) -> socket.socket:
    """Return a TCP connection made from inside a host. Raise `OSError`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = namespaces.socket_inside(pin, family, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
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
