"""Stable numbers for names: the same name has the same number in every compile.

Numbers are hashes, not positions, so adding a tenant changes no other tenant's
flows, and a controller that restarts with an empty disk computes the same ones.
Two names that share a number are refused (`compiler.numbers`), never merged.
"""

from hashlib import blake2b

COOKIE_OWNER = 0x9057  # top 16 bits of every cookie of ours
COOKIE_OWNER_SHIFT = 48
COOKIE_OWNER_MASK = 0xFFFF << COOKIE_OWNER_SHIFT


def _hash(kind: str, name: str, bits: int) -> int:
    digest = blake2b(name.encode(), digest_size=8, person=kind.encode()).digest()
    return int.from_bytes(digest) & ((1 << bits) - 1)


def party_id(name: str) -> int:
    """Return the 32-bit number of a tenant (`tenants.acme`) or pool (`pools.proxies`)."""
    return _hash("party", name, 32) or 1


def group_id(name: str) -> int:
    """Return the OpenFlow group number of a group, below OFPG_MAX (OpenFlow 1.4, 7.3.4.4)."""
    return (_hash("group", name, 31) % 0x7FFF_FF00) or 1


def cookie_of(rule_path: str) -> int:
    """Return the 64-bit cookie of a policy rule: owner mark, then a hash of its path."""
    return (COOKIE_OWNER << COOKIE_OWNER_SHIFT) | _hash("cookie", rule_path, COOKIE_OWNER_SHIFT)


def is_ours(cookie: int) -> bool:
    return cookie >> COOKIE_OWNER_SHIFT == COOKIE_OWNER
