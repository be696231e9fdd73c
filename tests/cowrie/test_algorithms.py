"""A decoy's SSH beside OpenSSH's own client: what it offers is what the persona says, and all of it works."""

import contextlib
import os
import re
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from services.cowrie import process
from services.cowrie.process import find_installed
from services.personas.catalogue import SSH_CIPHERS as _CIPHERS
from services.personas.catalogue import SSH_KEY_EXCHANGE as _KEY_EXCHANGE
from services.personas.catalogue import SSH_MACS as _MACS
from tests.cowrie.conftest import IDENTIFICATION, Decoy

pytestmark = pytest.mark.cowrie

_HOST_KEYS = ("rsa-sha2-512", "rsa-sha2-256", "ecdsa-sha2-nistp256", "ssh-ed25519")
# More than a kilobyte, so that every MAC works on several of its pieces.
_LONG = "cat /srv/secret/plan.txt; cat /etc/passwd /etc/passwd /etc/passwd /etc/passwd"
_REAL_EXCHANGES = [name for name in _KEY_EXCHANGE if not name.startswith(("kex-strict", "ext-info"))]


def read_offer(connection: socket.socket) -> tuple[str, list[list[str]]]:
    """Return the identification and the lists of the first key exchange message (RFC 4253, 7.1)."""
    stream = connection.makefile("rb")
    identification = stream.readline().decode().strip()
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    length, padding = struct.unpack(">IB", stream.read(5))
    body = stream.read(length - 1)[: length - 1 - padding]
    assert body[0] == 20
    lists, at = [], 17
    for _ in range(10):
        (size,) = struct.unpack(">I", body[at : at + 4])
        lists.append(body[at + 4 : at + 4 + size].decode().split(","))
        at += 4 + size
    assert body[at:] == bytes(5)
    return identification, lists


def test_it_offers_exactly_what_the_persona_says(decoy: Decoy) -> None:
    with decoy.connect() as connection:
        identification, lists = read_offer(connection)
    assert identification == IDENTIFICATION
    keys, ciphers, macs = list(_HOST_KEYS), list(_CIPHERS), list(_MACS)
    compression = ["none", "zlib@openssh.com"]
    wanted = [list(_KEY_EXCHANGE), keys, ciphers, ciphers, macs, macs, compression, compression, [""], [""]]
    assert lists == wanted


@pytest.mark.parametrize("name", _REAL_EXCHANGES)
def test_openssh_agrees_on_each_key_exchange(decoy: Decoy, name: str) -> None:
    assert "attack" in decoy.ssh(_LONG, f"-oKexAlgorithms={name}").stdout


@pytest.mark.parametrize("name", _CIPHERS)
def test_openssh_agrees_on_each_cipher(decoy: Decoy, name: str) -> None:
    assert "attack" in decoy.ssh(_LONG, f"-oCiphers={name}").stdout


@pytest.mark.parametrize("name", _MACS)
def test_openssh_agrees_on_each_mac(decoy: Decoy, name: str) -> None:
    assert "attack" in decoy.ssh(_LONG, "-oCiphers=aes128-ctr", f"-oMACs={name}").stdout


@pytest.mark.parametrize("name", _HOST_KEYS)
def test_openssh_accepts_each_host_key(decoy: Decoy, name: str) -> None:
    assert "attack" in decoy.ssh(_LONG, f"-oHostKeyAlgorithms={name}").stdout


@pytest.mark.parametrize("option", ["-oCompression=yes", "-oRekeyLimit=1K"])
def test_compression_and_new_keys_in_between_do_no_harm(decoy: Decoy, option: str) -> None:
    assert "attack" in decoy.ssh(_LONG, option).stdout


def test_openssh_sees_the_extensions_of_openssh(decoy: Decoy) -> None:
    said = decoy.ssh("id", "-v").stderr
    assert "publickey-hostbound@openssh.com=<0>" in said
    assert re.search(r"server-sig-algs=<ssh-ed25519,sk-ssh-ed25519@openssh.com,.*rsa-sha2-512>", said)
    assert "Authentications that can continue: publickey,password\n" in said.replace("\r", "")


@pytest.mark.parametrize("option", ["-oKexAlgorithms=diffie-hellman-group1-sha1", "-oCiphers=3des-cbc"])
def test_who_has_no_common_algorithm_is_left_without_a_word(decoy: Decoy, option: str) -> None:
    done = decoy.ssh("id", option)
    assert done.returncode == 255
    assert "Unable to negotiate" in done.stderr


def test_a_packet_of_impossible_length_is_answered_by_hanging_up_as_sshd_does(decoy: Decoy) -> None:
    with decoy.connect() as connection:
        read_offer(connection)
        connection.sendall(b"\xff" * 64)
        assert connection.recv(1_000) == b""


@pytest.mark.parametrize("size", [1, 7, 64, 5_000, 300_000])
def test_garbage_ends_one_connection_only(decoy: Decoy, size: int) -> None:
    with decoy.connect() as connection:
        connection.recv(100)
        with contextlib.suppress(OSError):  # it may hang up before all of it has arrived
            connection.sendall(b"SSH-2.0-x\r\n" + os.urandom(size))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
    assert "attack" in decoy.ssh(_LONG).stdout
    assert len(decoy.events("CowrieStarted", persona="acme/mx")) == 1


_HYBRID_CLIENT = """
import sys, runpy; sys.path.append(sys.argv[1])
from hashlib import sha256
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from plugin.exchange import answer_hybrid
first, second = MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
said = first.public_key().public_bytes_raw() + second.public_key().public_bytes_raw()
answer, secret = answer_hybrid(b"mlkem768x25519-sha256", said)
ours = first.decapsulate(answer[:1088]) + second.exchange(X25519PublicKey.from_public_bytes(answer[1088:]))
assert sha256(ours).digest() == secret
"""


def test_both_sides_of_an_ml_kem_exchange_have_the_same_secret() -> None:
    """The client of Debian 12 does not know it yet."""
    here = Path(process.__file__).parent
    python = find_installed().environment / "bin" / "python"
    subprocess.run([python, "-I", "-c", _HYBRID_CLIENT, here], check=True, timeout=60)


@pytest.mark.parametrize("number", [0, 1])
def test_a_public_number_that_leaves_no_secret_ends_the_connection_without_a_word(
    decoy: Decoy, number: int
) -> None:
    offer = [b"diffie-hellman-group14-sha256", b"ssh-ed25519", *[b"aes128-ctr"] * 2, *[b"hmac-sha2-256"] * 2]
    lists = [*offer, *[b"none"] * 2, b"", b""]
    with decoy.connect() as connection:
        read_offer(connection)
        key_exchange = b"\x14" + bytes(16) + b"".join(_text(names) for names in lists) + bytes(5)
        connection.sendall(
            _packet(key_exchange) + _packet(b"\x1e" + _text(bytes([number]) if number else b""))
        )
        assert connection.recv(1_000) == b""
    assert "attack" in decoy.ssh(_LONG).stdout


def _text(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _packet(payload: bytes) -> bytes:
    pad = 16 - (len(payload) + 5) % 8
    return struct.pack(">IB", len(payload) + pad + 1, pad) + payload + bytes(pad)
