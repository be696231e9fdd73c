"""A tenant's server that does what a test tells it to, and a client that sends exact bytes."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

EHLO = b"250-mx.acme.example\r\n250-PIPELINING\r\n250-SIZE 50000\r\n250-8BITMIME\r\n250 DSN\r\n"
_GOOD = {"EHLO": EHLO, "DATA": b"354 go\r\n", "QUIT": b"221 bye\r\n"}
Step = bytes | Callable[[socket.socket], None] | None  # a reply, something to do, or silence


def hang_up(connection: socket.socket) -> None:
    """End the connection at once, saying nothing."""
    connection.shutdown(socket.SHUT_RDWR)


@dataclass
class ScriptedServer:
    """Answers each verb by `script`; `DOT` is the answer to a message, `BANNER` comes first."""

    script: dict[str, Step] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.1.10", 0))
        self.port: int = self._listener.getsockname()[1]
        self.clients: list[tuple[str, int]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # close() alone leaves it listening while a thread accepts
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, client = self._listener.accept()
                self.connections += 1
                self.clients.append(client)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError), connection:
            self._do(connection, "BANNER", b"220 mx.acme.example ESMTP\r\n")
            self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            while line := file.readline():
                self.commands.append(line.decode("utf-8", "replace").rstrip("\r\n"))
                verb = line.split(b" ")[0].strip().decode("ascii", "replace").upper()
                self._do(connection, verb, _GOOD.get(verb, b"250 ok\r\n"))
                if verb == "DATA" and "DATA" not in self.script:
                    self._message(connection, file)

    def _message(self, connection: socket.socket, file: BinaryIO) -> None:
        message = b""
        while line := file.readline():
            if line == b".\r\n":
                self.messages.append(message)
                self._do(connection, "DOT", b"250 2.0.0 queued as 1\r\n")
                return
            message += line

    def _do(self, connection: socket.socket, verb: str, otherwise: bytes) -> None:
        step = self.script.get(verb, otherwise)
        if callable(step):
            step(connection)
        elif step is not None:
            connection.sendall(step)


class Client:
    """Sends bytes as they are, reads whole replies."""

    def __init__(self, port: int, source: str = "127.0.2.5", server: str = "127.0.1.10") -> None:
        self._socket = socket.create_connection((server, port), timeout=15, source_address=(source, 0))
        self._file = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def reply(self) -> str:
        """Return one whole reply, lines joined; empty when the gateway has closed."""
        lines = []
        with contextlib.suppress(ConnectionError):
            while line := self._file.readline():
                lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
                if line[3:4] != b"-":
                    break
        return "\n".join(lines)

    def ask(self, line: bytes) -> str:
        self.send(line + b"\r\n")
        return self.reply()

    def hello(self) -> None:
        assert self.reply()[:3] == "220"
        assert self.ask(b"EHLO client.example")[:3] == "250"

    def envelope(self, recipients: int = 1) -> None:
        self.hello()
        assert self.ask(b"MAIL FROM:<a@b.example>")[:3] == "250"
        for number in range(recipients):
            assert self.ask(b"RCPT TO:<c%d@acme.example>" % number)[:3] == "250"

    def message(self, content: bytes) -> str:
        """Send DATA and a message in wire form; return the final reply."""
        self.envelope()
        assert self.ask(b"DATA")[:3] == "354"
        return self.ask(content + b"\r\n.")

    def encrypt(self) -> None:
        assert self.ask(b"STARTTLS")[:3] == "220"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._socket = context.wrap_socket(self._socket)
        self._file = self._socket.makefile("rb")

    def finish(self) -> None:
        """Close the sending side only."""
        self._socket.shutdown(socket.SHUT_WR)

    def is_closed(self) -> bool:
        """Say whether the gateway closes now, having nothing more to say."""
        try:
            return self._file.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self._file.close()
        self._socket.close()
