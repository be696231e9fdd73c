"""Key exchanges that OpenSSH offers and Twisted lacks: larger groups, and hybrids with a second secret."""

import secrets
from collections.abc import Callable
from hashlib import sha256, sha512
from typing import Any

from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.conch.ssh import _kex
from zope.interface import implementer

from .primes import prime
from .sntrup import PUBLIC_BYTES, encapsulate

_MLKEM_PUBLIC_BYTES = 1184
# Twice what the strongest cipher and hash need (RFC 4419, 6.2).
_PRIVATE_BITS = 1024
Encapsulate = Callable[[bytes], tuple[bytes, bytes]]


def _mlkem768(public: bytes) -> tuple[bytes, bytes]:
    secret, ciphertext = mlkem.MLKEM768PublicKey.from_public_bytes(public).encapsulate()
    return ciphertext, secret


# By name: size of the client's first key in bytes, encapsulation of a secret for it, and hash.
_HYBRIDS: dict[bytes, tuple[int, Encapsulate, Any]] = {
    b"sntrup761x25519-sha512": (PUBLIC_BYTES, encapsulate, sha512),
    b"sntrup761x25519-sha512@openssh.com": (PUBLIC_BYTES, encapsulate, sha512),
    b"mlkem768x25519-sha256": (_MLKEM_PUBLIC_BYTES, _mlkem768, sha256),
}
_GROUPS: dict[bytes, tuple[int, Any]] = {
    b"diffie-hellman-group14-sha256": (2048, sha256),
    b"diffie-hellman-group16-sha512": (4096, sha512),
    b"diffie-hellman-group18-sha512": (8192, sha512),
}


@implementer(_kex._IFixedGroupKexAlgorithm)
class _FixedGroup:
    preference = 100
    generator = 2

    def __init__(self, bits: int, hash_: Any) -> None:
        self.prime, self.hashProcessor = prime(bits), hash_


@implementer(_kex._IEllipticCurveExchangeKexAlgorithm)  # the same messages, with longer contents
class _Hybrid:
    preference = 100

    def __init__(self, hash_: Any) -> None:
        self.hashProcessor = hash_


def teach_exchanges() -> None:
    for name, (bits, hash_) in _GROUPS.items():
        _kex._kexAlgorithms[name] = _FixedGroup(bits, hash_)
    for name, (_, _, hash_) in _HYBRIDS.items():
        _kex._kexAlgorithms[name] = _Hybrid(hash_)


def known_exchanges() -> frozenset[bytes]:
    return frozenset(_kex._kexAlgorithms)


def fallback_primes() -> dict[int, list[tuple[int, int]]]:
    """Return sshd's fallback groups, used without a moduli file, by size: generator and prime."""
    return {bits: [(2, prime(bits))] for bits in (2048, 4096, 8192)}


class GivesSecretAway(ValueError):
    """A public value of the peer that would reveal the secret (RFC 4253, 8)."""


class Ephemeral:
    """Our half of a Diffie-Hellman exchange, in one of this decoy's groups.

    Twisted's version lets OpenSSL check the prime each time. For an 8192-bit group that is
    not in an RFC this takes 18 s without an answer, and the client chooses the group.
    """

    def __init__(self, generator: int, prime: int) -> None:
        self._prime = prime
        self._private = secrets.randbits(_PRIVATE_BITS) | 1 << (_PRIVATE_BITS - 1)
        self.public = pow(generator, self._private, prime)

    def agree(self, theirs: int) -> int:
        """Return the shared secret. Raise `GivesSecretAway`."""
        if not 1 < theirs < self._prime - 1:
            raise GivesSecretAway
        return pow(theirs, self._private, self._prime)


def is_hybrid(name: bytes) -> bool:
    return name in _HYBRIDS


def answer_hybrid(name: bytes, said: bytes) -> tuple[bytes, bytes]:
    """Return (the answer to a client's two keys, the shared secret). Raise `ValueError`."""
    size, encapsulate_for, hash_ = _HYBRIDS[name]
    if len(said) != size + 32:
        raise ValueError(f"{len(said)} bytes are not two keys")
    ciphertext, first = encapsulate_for(said[:size])
    ours = X25519PrivateKey.generate()
    second = ours.exchange(X25519PublicKey.from_public_bytes(said[size:]))
    public = ours.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return ciphertext + public, hash_(first + second).digest()
