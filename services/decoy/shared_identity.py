"""What the decoys of one pool share besides their personas: keys, certificates, ages. Pure.

An attacker that reaches another decoy of the pool at the same address must find the same host there. So none
of this is random: all of it is derived from one secret, which the controller gives to the pool.
"""

import hashlib
from dataclasses import dataclass

import gmpy2
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_EXPONENT = 65_537


@dataclass(frozen=True, slots=True)
class SharedIdentity:
    """`secret`: 32 bytes; `since`: start of the pool in Unix seconds. The same words give the same result."""

    secret: bytes
    since: int

    @property
    def mark(self) -> str:
        """Return an identifier of this identity that does not reveal its secret."""
        return self._draw(4, "mark").hex()

    def fraction(self, *words: str) -> float:
        """Return a number from 0 to 1."""
        return int.from_bytes(self._draw(6, "fraction", *words)) / 2**48

    def serial(self, *words: str) -> int:
        """Return a certificate's serial number: positive, 20 octets at most (RFC 5280, 4.1.2.2)."""
        return int.from_bytes(self._draw(20, "serial", *words)) >> 1 | 1

    def ed25519(self, *words: str) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._draw(32, "ed25519", *words))

    def ecdsa(self, *words: str) -> ec.EllipticCurvePrivateKey:
        """Return a key on P-256."""
        order = ec.SECP256R1().group_order
        return ec.derive_private_key(
            int.from_bytes(self._draw(48, "ecdsa", *words)) % (order - 1) + 1, ec.SECP256R1()
        )

    def rsa(self, bits: int, *words: str) -> rsa.RSAPrivateKey:
        """Return a key of `bits` bits. OpenSSL tests the primes again when it loads them."""
        p, q = (self._prime(bits // 2, "rsa", str(bits), which, *words) for which in ("p", "q"))
        d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
        numbers = rsa.RSAPrivateNumbers(
            p,
            q,
            d,
            rsa.rsa_crt_dmp1(d, p),
            rsa.rsa_crt_dmq1(d, q),
            rsa.rsa_crt_iqmp(p, q),
            rsa.RSAPublicNumbers(_EXPONENT, p * q),
        )
        return numbers.private_key()

    def _prime(self, bits: int, *words: str) -> int:
        """Return the first prime at or after a derived number of `bits` bits whose two highest are set."""
        drawn = int.from_bytes(self._draw(bits // 8, *words))
        candidate = gmpy2.next_prime((drawn | 0b11 << (bits - 2) | 1) - 1)
        while candidate % _EXPONENT == 1:
            candidate = gmpy2.next_prime(candidate)
        return int(candidate)

    def _draw(self, size: int, *words: str) -> bytes:
        """Return octets derived from secret and words, which reveal neither (FIPS 202, SHAKE256)."""
        label = b"".join(len(word.encode()).to_bytes(4) + word.encode() for word in words)
        return hashlib.shake_256(b"postern likeness" + self.secret + label).digest(size)
