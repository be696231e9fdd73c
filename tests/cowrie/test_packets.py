"""What Cowrie was taught of OpenSSH's packets and key exchanges, against published figures and itself."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cowrie.plugin.packets import BadLength, Clear, Forged, Way, make_way
from services.cowrie.plugin.primes import prime
from services.cowrie.plugin.sntrup import CIPHERTEXT_BYTES, PUBLIC_BYTES, encapsulate
from services.cowrie.plugin.umac import Umac
from tests.examples import examples

_CIPHERS = (
    "chacha20-poly1305@openssh.com",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes256-ctr",
    "aes192-cbc",
)
_MACS = (
    "umac-64@openssh.com",
    "umac-128-etm@openssh.com",
    "hmac-sha1",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512",
)


def pair(cipher: str, mac: str) -> tuple[Way, Way]:
    iv, key, mac_key = bytes(range(64)), bytes(range(64, 128)), bytes(range(128, 192))
    return tuple(make_way((cipher, mac), iv, key, mac_key, is_out) for is_out in (True, False))  # type: ignore[return-value]


# RFC 4418, appendix: key "abcdefghijklmnop", nonce "bcdefghi"
@pytest.mark.parametrize(
    ("message", "tag"),
    [
        (b"", "6E155FAD26900BE1"),
        (b"a" * 3, "44B5CB542F220104"),
        (b"a" * 2**10, "26BF2F5D60118BD9"),
        (b"a" * 2**15, "27F8EF643B0D118D"),
        (b"abc", "D4D7B9F6BD4FBFCF"),
        (b"abc" * 500, "D4CF26DDEFD5C01A"),
    ],
)
def test_umac_is_that_of_the_rfc(message: bytes, tag: str) -> None:
    number = int.from_bytes(b"bcdefghi", "big")
    assert Umac(b"abcdefghijklmnop", 8).compute(number, message).hex().upper() == tag


@pytest.mark.parametrize("bits", [2048, 4096])
def test_the_groups_are_safe_primes(bits: int) -> None:
    """By Fermat's test, of the number and of its half: enough against a slip of the pen."""
    number = prime(bits)
    assert number.bit_length() == bits
    assert pow(2, number - 1, number) == 1
    assert pow(2, number // 2 - 1, number // 2) == 1


def test_sntrup_answers_a_key_with_a_ciphertext_and_refuses_others() -> None:
    ciphertext, secret = encapsulate(os.urandom(PUBLIC_BYTES))
    assert (len(ciphertext), len(secret)) == (CIPHERTEXT_BYTES, 32)
    with pytest.raises(ValueError, match="no key"):
        encapsulate(bytes(PUBLIC_BYTES - 1))


@pytest.mark.parametrize("mac", _MACS)
@pytest.mark.parametrize("cipher", _CIPHERS)
def test_packets_survive_any_split(cipher: str, mac: str) -> None:
    out, back = pair(cipher, mac)
    payloads = [b"\x05short", os.urandom(1_000), b"x", os.urandom(3_333)]
    wire = b"".join(out.seal(number, payload, os.urandom) for number, payload in enumerate(payloads))
    found: list[bytes] = []
    buffer = b""
    for byte in range(0, len(wire), 7):
        buffer += wire[byte : byte + 7]
        while opened := back.open(len(found), buffer):
            found.append(opened[0])
            buffer = buffer[opened[1] :]
    assert found == payloads
    assert buffer == b""


@pytest.mark.parametrize("mac", _MACS)
@pytest.mark.parametrize("cipher", _CIPHERS)
def test_a_changed_bit_is_found(cipher: str, mac: str) -> None:
    out, back = pair(cipher, mac)
    wire = bytearray(out.seal(0, b"payload" * 10, os.urandom))
    wire[-20] ^= 1
    with pytest.raises(Forged):
        back.open(0, bytes(wire))


@given(st.sampled_from(_CIPHERS), st.sampled_from(_MACS), st.binary(max_size=600))
@examples(200)
def test_garbage_is_refused_or_waited_for(cipher: str, mac: str, garbage: bytes) -> None:
    for way in (pair(cipher, mac)[1], Clear()):
        try:
            opened = way.open(0, garbage)
        except (BadLength, Forged):
            continue
        assert opened is None or isinstance(way, Clear)
