"""UMAC (RFC 4418) with 64 and 128 bits, which Twisted lacks and OpenSSH prefers."""

import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_P36 = 2**36 - 5
_P64 = 2**64 - 59
_MASK64 = 2**64 - 1
_MASK32 = 2**32 - 1
_CHUNK = 1024
# RFC 4418, 5.4: mask of the polynomial's key, and the first word out of the polynomial's range
_KEY_MASK64 = 0x01FFFFFF01FFFFFF
_TOO_BIG = 2**64 - 2**32


class Umac:
    """One key; `compute` for each message with its number."""

    def __init__(self, key: bytes, size: int) -> None:
        self.size = size
        self._rounds = size // 4
        self._aes_key = key[:16]
        one = self._derive(1, _CHUNK + 16 * (self._rounds - 1))
        words = struct.unpack(f">{len(one) // 4}I", one)
        self._l1 = [words[4 * n : 4 * n + _CHUNK // 4] for n in range(self._rounds)]
        two = self._derive(2, 24 * self._rounds)
        self._l2 = [
            int.from_bytes(two[24 * n : 24 * n + 8], "big") & _KEY_MASK64 for n in range(self._rounds)
        ]
        three = self._derive(3, 64 * self._rounds)
        self._l3 = [
            [value % _P36 for value in struct.unpack(">8Q", three[64 * n : 64 * n + 64])]
            for n in range(self._rounds)
        ]
        four = self._derive(4, 4 * self._rounds)
        self._l3_pad = struct.unpack(f">{self._rounds}I", four)
        self._pad_key = self._derive(0, 16)

    def compute(self, number: int, message: bytes) -> bytes:
        hashed = b"".join(self._hash(message, n) for n in range(self._rounds))
        pad = self._pad(number)
        return bytes(a ^ b for a, b in zip(hashed, pad, strict=True))

    def _derive(self, index: int, count: int) -> bytes:
        blocks = (count + 15) // 16
        counters = b"".join(struct.pack(">QQ", index, n) for n in range(1, blocks + 1))
        return _aes(self._aes_key, counters)[:count]

    def _pad(self, number: int) -> bytes:
        nonce = number.to_bytes(8, "big")
        if self.size == 16:
            return _aes(self._pad_key, nonce + bytes(8))
        which = nonce[7] & 1
        block = _aes(self._pad_key, nonce[:7] + bytes((nonce[7] & 0xFE,)) + bytes(8))
        return block[8 * which : 8 * which + 8]

    def _hash(self, message: bytes, round_: int) -> bytes:
        parts = [message[at : at + _CHUNK] for at in range(0, len(message), _CHUNK)] or [b""]
        sums = [_nh(part, self._l1[round_]) for part in parts]
        value = sums[0] if len(sums) == 1 else _polynomial(sums, self._l2[round_])
        key = self._l3[round_]
        halves = struct.unpack(">8H", value.to_bytes(16, "big"))
        inner = sum(a * b for a, b in zip(halves, key, strict=True)) % _P36 & _MASK32
        return (inner ^ self._l3_pad[round_]).to_bytes(4, "big")


def _aes(key: bytes, data: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def _nh(part: bytes, key: tuple[int, ...]) -> int:
    padded = part + bytes(-len(part) % 32) or bytes(32)
    words = struct.unpack(f"<{len(padded) // 4}I", padded)
    total = 8 * len(part)
    for at in range(0, len(words), 8):
        for n in range(at, at + 4):
            total += ((words[n] + key[n]) & _MASK32) * ((words[n + 4] + key[n + 4]) & _MASK32)
    return total & _MASK64


def _polynomial(sums: list[int], key: int) -> int:
    value = 1
    for each in sums:
        if each >= _TOO_BIG:
            value = (value * key + _P64 - 1) % _P64
            each -= 59
        value = (value * key + each) % _P64
    return value
