"""Streamlined NTRU Prime 761, used in OpenSSH's preferred key exchange: the server's half.

The server encapsulates a secret for a client's public key; decoding and rounding follow
https://ntruprime.cr.yp.to (round 3), 4.1 and 4.2. Each product is computed with one long integer.
A decoy's keys protect no data, so this code is not constant-time.
"""

import hashlib
import secrets

P, Q, WEIGHT = 761, 4591, 286
PUBLIC_BYTES, CIPHERTEXT_BYTES = 1158, 1039
_HALF = Q // 2
_ROUNDED = (Q + 2) // 3
_SLOT = 4  # bytes for one coefficient of a product: 761 * 4590 fits


def encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """Return (ciphertext, secret). Raise `ValueError` on a key of the wrong size."""
    if len(public) != PUBLIC_BYTES:
        raise ValueError(f"{len(public)} bytes are no key")
    h = [(value - _HALF) % Q for value in _decode(public, [Q] * P)]
    r = _short()
    rounded = [_round(value) for value in _multiply(h, r)]
    ciphertext = bytes(_encode(rounded, [_ROUNDED] * P))
    small = _hash(3, _pack(r))
    ciphertext += _hash(2, small + _hash(4, public))
    return ciphertext, _hash(1, small + ciphertext)


def _round(value: int) -> int:
    """Return the index of the multiple of 3 that is nearest to a coefficient."""
    centered = (value + _HALF) % Q - _HALF
    return (centered - ((centered + 1) % 3 - 1) + _HALF) // 3


def _short() -> list[int]:
    """Return a random polynomial with a fixed number of coefficients that are 1 or -1."""
    places = secrets.SystemRandom().sample(range(P), WEIGHT)
    r = [0] * P
    for place in places:
        r[place] = 1 if secrets.randbits(1) else -1
    return r


def _multiply(h: list[int], r: list[int]) -> list[int]:
    """Return h * r modulo x^761 - x - 1."""
    whole = _number(h)
    plus = whole * _number([value == 1 for value in r])
    minus = whole * _number([value == -1 for value in r])
    product = [a - b for a, b in zip(_coefficients(plus), _coefficients(minus), strict=True)]
    for place in range(2 * P - 2, P - 1, -1):
        product[place - P] += product[place]
        product[place - P + 1] += product[place]
    return product[:P]


def _number(values: list[int] | list[bool]) -> int:
    return int.from_bytes(b"".join(int(value).to_bytes(_SLOT, "little") for value in values), "little")


def _coefficients(number: int) -> list[int]:
    data = number.to_bytes(_SLOT * 2 * P, "little")
    return [int.from_bytes(data[at : at + _SLOT], "little") for at in range(0, _SLOT * (2 * P - 1), _SLOT)]


def _pack(r: list[int]) -> bytes:
    """Pack four coefficients per byte."""
    padded = [value + 1 for value in r] + [0] * (-P % 4)
    return bytes(
        padded[at] | padded[at + 1] << 2 | padded[at + 2] << 4 | padded[at + 3] << 6
        for at in range(0, len(padded), 4)
    )


def _hash(prefix: int, data: bytes) -> bytes:
    return hashlib.sha512(bytes((prefix,)) + data).digest()[:32]


_LIMIT = 16_384


def _encode(values: list[int], moduli: list[int]) -> list[int]:
    if len(moduli) == 1:
        value, modulus, data = values[0], moduli[0], []
        while modulus > 1:
            data.append(value % 256)
            value, modulus = value // 256, (modulus + 255) // 256
        return data
    data, pairs, above = [], [], []
    for at in range(0, len(moduli) - 1, 2):
        modulus, value = moduli[at] * moduli[at + 1], values[at] + moduli[at] * values[at + 1]
        while modulus >= _LIMIT:
            data.append(value % 256)
            value, modulus = value // 256, (modulus + 255) // 256
        pairs.append(value)
        above.append(modulus)
    if len(moduli) % 2:
        pairs.append(values[-1])
        above.append(moduli[-1])
    return data + _encode(pairs, above)


def _decode(data: bytes, moduli: list[int]) -> list[int]:
    if len(moduli) == 1:
        return [int.from_bytes(data, "little") % moduli[0]]
    at, bottom, above = 0, [], []
    for pair in range(0, len(moduli) - 1, 2):
        modulus, low, scale = moduli[pair] * moduli[pair + 1], 0, 1
        while modulus >= _LIMIT:
            low, scale, at, modulus = low + data[at] * scale, scale * 256, at + 1, (modulus + 255) // 256
        bottom.append((low, scale))
        above.append(modulus)
    if len(moduli) % 2:
        above.append(moduli[-1])
    upper = _decode(data[at:], above)
    values = []
    for number, (low, scale) in enumerate(bottom):
        value = low + scale * upper[number]
        values += [value % moduli[2 * number], value // moduli[2 * number] % moduli[2 * number + 1]]
    return values + upper[len(bottom) :]
