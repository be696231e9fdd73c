"""What the decoys of one pool have in common beyond their personas: keys, certificates, ages. Pure.

An attacker who meets another decoy of the pool under the same address must find the same host there. So
nothing of that is drawn at random: all of it follows from one secret, which the controller gives to the pool.
"""

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_EXPONENT = 65_537
_ROUNDS = 24  # of Miller-Rabin, each with another base: OpenSSL tries the primes again when it takes them
_SMALL = [n for n in range(3, 2_000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]


@dataclass(frozen=True, slots=True)
class Likeness:
    """`secret`: 32 bytes; `since`: Unix seconds, when the pool began. The same words give the same answer."""

    secret: bytes
    since: int

    @property
    def mark(self) -> str:
        """Return what tells this likeness from another one, and nothing of its secret."""
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
        """Takes about half a second for 3,072 bits."""
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
        """Return the first prime at or after a drawn number of so many bits, its two highest set."""
        drawn = int.from_bytes(self._draw(bits // 8, *words))
        candidate = drawn | 0b11 << (bits - 2) | 1
        while not _is_prime(candidate) or candidate % _EXPONENT == 1:
            candidate += 2
        return candidate

    def _draw(self, size: int, *words: str) -> bytes:
        """Return octets that follow from secret and words, and say nothing of either (FIPS 202, SHAKE256)."""
        label = b"".join(len(word.encode()).to_bytes(4) + word.encode() for word in words)
        return hashlib.shake_256(b"postern likeness" + self.secret + label).digest(size)


def _is_prime(number: int) -> bool:
    """Say whether an odd number above all small primes is one (Miller-Rabin)."""
    if not all(number % small for small in _SMALL):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(number, base, odd, twos) for base in _SMALL[:_ROUNDS])


def _passes(number: int, base: int, odd: int, twos: int) -> bool:
    power = pow(base, odd, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False
