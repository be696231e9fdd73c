"""Encryption on both legs: with a server that does STARTTLS, and peers that do it badly."""

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.mail.io.certificates import make_self_signed
from tests.mail.conftest import StartGateway

pytestmark = pytest.mark.programs

MESSAGE = b"Subject: hello\r\n\r\nbody"
Handshake = Callable[["EncryptingServer", socket.socket], socket.socket]


def do_it(server: "EncryptingServer", connection: socket.socket) -> socket.socket:
    connection.sendall(b"220 go ahead\r\n")
    return server.context.wrap_socket(connection, server_side=True)


def inject(server: "EncryptingServer", connection: socket.socket) -> socket.socket:
    """Say more than 220 before the handshake, to be taken for encrypted (CVE-2011-0411, the other way)."""
    connection.sendall(b"220 go ahead\r\n250 injected\r\n")
    return server.context.wrap_socket(connection, server_side=True)


def refuse(_server: "EncryptingServer", connection: socket.socket) -> socket.socket:
    connection.sendall(b"454 4.7.0 not now\r\n")
    return connection


def talk_nonsense(_server: "EncryptingServer", connection: socket.socket) -> socket.socket:
    connection.sendall(b"220 go ahead\r\n" + b"this is no TLS record " * 100)
    return connection


class EncryptingServer:
    """A tenant's server that offers STARTTLS; notes what it heard in clear, and what encrypted."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.handshake: Handshake = do_it
        self.heard: list[tuple[str, str]] = []  # ("clear" or "encrypted", verb)
        self._listener = socket.create_server(("127.0.1.10", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # close() alone leaves it listening while a thread accepts
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.sendall(b"220 mx.acme.example\r\n")
            if self._converse(connection, "clear"):
                with contextlib.closing(self.handshake(self, connection)) as second:
                    self._converse(second, "encrypted" if isinstance(second, ssl.SSLSocket) else "clear")

    def _converse(self, connection: socket.socket, how: str) -> bool:
        """Answer commands; return whether the client asked for STARTTLS."""
        answers = {b"EHLO": b"250-mx\r\n250-STARTTLS\r\n250 8BITMIME\r\n", b"QUIT": b"221 bye\r\n"}
        with connection.makefile("rb") as file:
            while line := file.readline():
                verb = line[:4].upper()
                self.heard.append((how, verb.decode("ascii", "replace")))
                if verb == b"STAR":
                    return True
                if verb == b"DATA":
                    connection.sendall(b"354 go\r\n")
                    while file.readline() not in (b".\r\n", b""):
                        continue
                connection.sendall(answers.get(verb, b"250 2.0.0 ok\r\n"))
        return False


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Certificate and key of a server that nobody vouches for."""
    directory = tmp_path_factory.mktemp("tls")
    chain, key = directory / "chain.pem", directory / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-days", "2", "-subj", "/CN=mx.acme.example", "-keyout", str(key), "-out", str(chain)]
    subprocess.run(command, check=True, capture_output=True)
    return chain, key


@pytest.fixture
def encrypting(certificate: tuple[Path, Path]) -> Iterator[EncryptingServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = EncryptingServer(context)
    yield server
    server.close()


@pytest.mark.parametrize("wanted", ["may", "require"])
def test_a_server_that_offers_encryption_gets_the_message_encrypted(
    start_gateway: StartGateway, encrypting: EncryptingServer, wanted: str
) -> None:
    gateway = start_gateway(encrypting.port, tls={"server": wanted})
    assert gateway.client().message(MESSAGE)[:3] == "250"
    assert ("encrypted", "DATA") in encrypting.heard
    assert ("clear", "MAIL") not in encrypting.heard
    assert gateway.wait_for("MessageDelivered")["server_tls"] is True


def test_a_server_that_nobody_vouches_for_gets_nothing_when_it_must_be_verified(
    start_gateway: StartGateway, encrypting: EncryptingServer
) -> None:
    client = start_gateway(encrypting.port, tls={"server": "verify"}).client()
    assert client.reply()[:3] == "220"
    assert client.ask(b"EHLO client.example")[0] in "45"
    assert "DATA" not in [verb for _, verb in encrypting.heard]


def test_a_tenant_may_have_mail_brought_in_clear(
    start_gateway: StartGateway, encrypting: EncryptingServer
) -> None:
    gateway = start_gateway(encrypting.port, tls={"server": "none"})
    assert gateway.client().message(MESSAGE)[:3] == "250"
    assert ("clear", "DATA") in encrypting.heard


@pytest.mark.parametrize("handshake", [refuse, talk_nonsense, inject])
def test_a_failed_handshake_sends_nothing_in_clear_to_a_server_that_must_encrypt(
    start_gateway: StartGateway, encrypting: EncryptingServer, handshake: Handshake
) -> None:
    encrypting.handshake = handshake
    client = start_gateway(encrypting.port, tls={"server": "require"}).client()
    assert client.reply()[:3] == "220"
    reply = client.ask(b"EHLO client.example")
    assert reply[0] == "4" or client.ask(b"MAIL FROM:<a@b.example>")[0] == "4"
    assert not {"MAIL", "DATA", "RCPT"} & {verb for _, verb in encrypting.heard}


@pytest.mark.parametrize("handshake", [refuse, talk_nonsense, inject])
def test_mail_is_brought_in_clear_when_encryption_is_only_wished_for_and_fails(
    start_gateway: StartGateway, encrypting: EncryptingServer, handshake: Handshake
) -> None:
    encrypting.handshake = handshake
    gateway = start_gateway(encrypting.port, tls={"server": "may"})
    assert gateway.client().message(MESSAGE)[:3] == "250"
    assert gateway.wait_for("MessageDelivered")["server_tls"] is False


@pytest.mark.parametrize(("clients", "is_offered"), [("off", False), ("offer", True), ("require", True)])
def test_clients_are_offered_encryption_unless_the_tenant_turned_it_off(
    start_gateway: StartGateway, encrypting: EncryptingServer, clients: str, is_offered: bool
) -> None:
    client = start_gateway(encrypting.port, tls={"clients": clients}).client()
    assert client.reply()[:3] == "220"
    assert ("STARTTLS" in client.ask(b"EHLO client.example")) is is_offered


def test_a_client_whose_handshake_is_no_handshake_is_hung_up_on(
    start_gateway: StartGateway, encrypting: EncryptingServer
) -> None:
    gateway = start_gateway(encrypting.port)
    client = gateway.client()
    client.hello()
    assert client.ask(b"STARTTLS")[:3] == "220"
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    assert client.is_closed()
    assert gateway.client().message(MESSAGE)[:3] == "250"


def test_both_legs_encrypted_is_what_the_journal_says(
    start_gateway: StartGateway, encrypting: EncryptingServer
) -> None:
    gateway = start_gateway(encrypting.port)
    client = gateway.client()
    client.hello()
    client.encrypt()
    assert client.ask(b"EHLO client.example")[:3] == "250"
    assert client.ask(b"MAIL FROM:<a@b.example>")[:3] == "250"
    assert client.ask(b"RCPT TO:<c@acme.example>")[:3] == "250"
    assert client.ask(b"DATA")[:3] == "354"
    assert client.ask(MESSAGE + b"\r\n.")[:3] == "250"
    received = gateway.wait_for("MessageReceived")
    assert (received["client_tls"], received["server_tls"]) == (True, True)


def test_gateways_that_share_a_directory_and_start_at_once_have_one_certificate(
    tmp_path: Path,
) -> None:
    together = threading.Barrier(8)

    def start(_number: int) -> tuple[Path, Path, bool]:
        together.wait(30)
        return make_self_signed(tmp_path / "certificates", "acme")

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(start, range(8)))
    (chain, key), *others = {(chain, key) for chain, key, _ in made}
    assert not others and [is_new for _, _, is_new in made].count(True) == 1
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
