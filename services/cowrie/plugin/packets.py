"""SSH packets as OpenSSH encrypts them: MAC before or after encryption, AES-GCM, ChaCha20-Poly1305.

One `Way` for each direction. Twisted has only the oldest of these.
"""

import hmac
import struct
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.poly1305 import Poly1305

from .umac import Umac

_LONGEST_PACKET = 256 * 1024  # OpenSSH's PACKET_MAX_SIZE
_ETM = "-etm@openssh.com"

Pad = Callable[[int], bytes]


class BadLength(Exception):
    """A packet with an impossible length."""


class Forged(Exception):
    """A packet with a wrong authentication tag."""


class Mac:
    """`hmac-...` or `umac-...`, by the name without its ending."""

    def __init__(self, name: str, key: bytes) -> None:
        self._umac: Umac | None = None
        if name.startswith("umac-"):
            self._umac = Umac(key, int(name[5:].partition("@")[0]) // 8)
            self.size = self._umac.size
        else:
            self._hash = name.removeprefix("hmac-").replace("sha2-", "sha")
            self.size = hmac.new(b"", b"", self._hash).digest_size
            self._key = key[: self.size]

    def compute(self, number: int, data: bytes) -> bytes:
        if self._umac is not None:
            return self._umac.compute(number, data)
        return hmac.new(self._key, struct.pack(">I", number) + data, self._hash).digest()

    def check(self, number: int, data: bytes, mac: bytes) -> None:
        if not hmac.compare_digest(self.compute(number, data), mac):
            raise Forged


class Clear:
    """Before the first key exchange."""

    block, size = 8, 0

    def seal(self, _number: int, payload: bytes, pad: Pad) -> bytes:
        return _packet(payload, self.block, 4, pad)

    def open(self, _number: int, buffer: bytes) -> tuple[bytes, int] | None:
        """Return (payload, bytes used), or nothing yet. Raise `BadLength`, `Forged`."""
        if len(buffer) < self.block:
            return None
        end = 4 + _checked(buffer[:4], self.block, 4)
        return (_payload(buffer[:end]), end) if len(buffer) >= end else None


class MacThenSend:
    """Encrypt, and add the MAC of the plain text."""

    def __init__(self, cipher: Any, mac: Mac, block: int, is_outgoing: bool) -> None:
        self._coder = cipher.encryptor() if is_outgoing else cipher.decryptor()
        self._mac, self.block = mac, block
        self._first = b""

    def seal(self, number: int, payload: bytes, pad: Pad) -> bytes:
        packet = _packet(payload, self.block, 4, pad)
        sealed: bytes = self._coder.update(packet)
        return sealed + self._mac.compute(number, packet)

    def open(self, number: int, buffer: bytes) -> tuple[bytes, int] | None:
        if not self._first:
            if len(buffer) < self.block:
                return None
            self._first = self._coder.update(buffer[: self.block])
        end = 4 + _checked(self._first[:4], self.block, 4)
        if len(buffer) < end + self._mac.size:
            return None
        packet = self._first + self._coder.update(buffer[self.block : end])
        self._first = b""
        self._mac.check(number, packet, buffer[end : end + self._mac.size])
        return _payload(packet), end + self._mac.size


class EncryptThenMac:
    """The length in clear, and the MAC of the encrypted packet."""

    def __init__(self, cipher: Any, mac: Mac, block: int, is_outgoing: bool) -> None:
        self._coder = cipher.encryptor() if is_outgoing else cipher.decryptor()
        self._mac, self.block = mac, block

    def seal(self, number: int, payload: bytes, pad: Pad) -> bytes:
        packet = _packet(payload, self.block, 0, pad)
        sealed: bytes = packet[:4] + self._coder.update(packet[4:])
        return sealed + self._mac.compute(number, sealed)

    def open(self, number: int, buffer: bytes) -> tuple[bytes, int] | None:
        if len(buffer) < 4:
            return None
        end = 4 + _checked(buffer[:4], self.block, 0)
        if len(buffer) < end + self._mac.size:
            return None
        self._mac.check(number, buffer[:end], buffer[end : end + self._mac.size])
        return _payload(buffer[:4] + self._coder.update(buffer[4:end])), end + self._mac.size


class Gcm:
    """aes128-gcm@openssh.com and aes256-gcm@openssh.com."""

    block = 16

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._aead = AESGCM(key)
        self._fixed, self._counter = iv[:4], int.from_bytes(iv[4:12], "big")

    def seal(self, _number: int, payload: bytes, pad: Pad) -> bytes:
        packet = _packet(payload, self.block, 0, pad)
        return packet[:4] + self._aead.encrypt(self._nonce(), packet[4:], packet[:4])

    def open(self, _number: int, buffer: bytes) -> tuple[bytes, int] | None:
        if len(buffer) < 4:
            return None
        end = 4 + _checked(buffer[:4], self.block, 0) + 16
        if len(buffer) < end:
            return None
        try:
            opened = self._aead.decrypt(self._nonce(), buffer[4:end], buffer[:4])
        except InvalidTag as error:
            raise Forged from error
        return _payload(buffer[:4] + opened), end

    def _nonce(self) -> bytes:
        nonce = self._fixed + self._counter.to_bytes(8, "big")
        self._counter = (self._counter + 1) % 2**64
        return nonce


class ChaCha:
    """chacha20-poly1305@openssh.com: a separate key for the length, the packet's number as nonce."""

    block = 8

    def __init__(self, key: bytes) -> None:
        self._main, self._header = key[:32], key[32:64]

    def seal(self, number: int, payload: bytes, pad: Pad) -> bytes:
        packet = _packet(payload, self.block, 0, pad)
        sealed = _chacha(self._header, 0, number, packet[:4]) + _chacha(self._main, 1, number, packet[4:])
        return sealed + Poly1305.generate_tag(self._one_time_key(number), sealed)

    def open(self, number: int, buffer: bytes) -> tuple[bytes, int] | None:
        if len(buffer) < 4:
            return None
        length = _chacha(self._header, 0, number, buffer[:4])
        end = 4 + _checked(length, self.block, 0)
        if len(buffer) < end + 16:
            return None
        tag = Poly1305.generate_tag(self._one_time_key(number), buffer[:end])
        if not hmac.compare_digest(tag, buffer[end : end + 16]):
            raise Forged
        return _payload(length + _chacha(self._main, 1, number, buffer[4:end])), end + 16

    def _one_time_key(self, number: int) -> bytes:
        return _chacha(self._main, 0, number, bytes(32))


Way = Clear | MacThenSend | EncryptThenMac | Gcm | ChaCha


def make_way(names: tuple[str, str], iv: bytes, key: bytes, mac_key: bytes, is_outgoing: bool) -> Way:
    """Return the packet encryption of one direction; `names` are those of cipher and MAC."""
    cipher, mac = names
    if cipher == "none":
        return Clear()
    if cipher.startswith("chacha20"):
        return ChaCha(key)
    size = 24 if cipher.startswith("3des") else int(cipher[3:6]) // 8
    if "-gcm@" in cipher:
        return Gcm(key[:size], iv)
    block = 8 if cipher.startswith("3des") else 16
    algorithm: Any = _triple_des(key) if cipher.startswith("3des") else algorithms.AES(key[:size])
    mode: Any = modes.CTR(iv[:block]) if cipher.endswith("-ctr") else modes.CBC(iv[:block])
    kind = EncryptThenMac if mac.endswith(_ETM) else MacThenSend
    return kind(Cipher(algorithm, mode), Mac(mac.removesuffix(_ETM), mac_key), block, is_outgoing)


def _triple_des(key: bytes) -> Any:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES

    return TripleDES(key[:24])


def _chacha(key: bytes, counter: int, number: int, data: bytes) -> bytes:
    nonce = counter.to_bytes(8, "little") + number.to_bytes(8, "big")
    return Cipher(algorithms.ChaCha20(key, nonce), None).encryptor().update(data)


def _packet(payload: bytes, block: int, counted: int, pad: Pad) -> bytes:
    """Return both lengths, payload and padding. `counted` bytes of the first length belong to the blocks."""
    padding = block - (counted + 1 + len(payload)) % block
    if padding < 4:
        padding += block
    return struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + pad(padding)


def _checked(length: bytes, block: int, counted: int) -> int:
    value = int.from_bytes(length, "big")
    if not 5 <= value <= _LONGEST_PACKET or (value + counted) % block:
        raise BadLength
    return value


def _payload(packet: bytes) -> bytes:
    padding = packet[4]
    if padding < 4 or padding > len(packet) - 6:
        raise BadLength
    return packet[5 : len(packet) - padding]
