"""Stable numbers for names: the same name has the same number in every compile.

Numbers are hashes, not positions, so adding a tenant changes no other tenant's
flows, and a controller that restarts with an empty disk computes the same ones.
Two names that share a number are refused (`compiler.id_clashes`), never merged.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

COOKIE_OWNER = 0x9057  # top 16 bits of every cookie of ours
_NUMBERED = {"decisions": 0x9058, "allow": 0x9059}  # the same, for what has its own number
COOKIE_OWNER_SHIFT = 48
OWN_COOKIES = (COOKIE_OWNER << COOKIE_OWNER_SHIFT, 0xFFFF << COOKIE_OWNER_SHIFT)  # with their mask
FIRST_DECISION_METER = 1_000  # lower ones are for the policy and for tenants
_FIRST_TENANT_METER = 201_000
_TENANT_METERS = 60_000


def _hash(kind: str, name: str, bits: int) -> int:
    digest = blake2b(name.encode(), digest_size=8, person=kind.encode()).digest()
    return int.from_bytes(digest) & ((1 << bits) - 1)


def party_id(name: str) -> int:
    """Return the 32-bit number of a tenant (`tenants.acme`) or pool (`pools.proxies`)."""
    return _hash("party", name, 32) or 1


def meter_of(decision: int) -> int:
    """Return the OpenFlow meter of a decision. Open vSwitch 3.1 has 262,144 in its userspace datapath."""
    return FIRST_DECISION_METER + decision % 200_000


def tenant_meters(names: Iterable[str]) -> dict[str, int]:
    """Return the OpenFlow meter of each limit on a tenant's new connections, by rule.

    There are too few numbers for hashes without clashes: a rule whose hash clashes gets the next free one.
    """
    number_by_name: dict[str, int] = {}
    taken = set()
    for name in sorted(names):
        place = _hash("meter", name, 32) % _TENANT_METERS
        while place in taken:
            place = (place + 1) % _TENANT_METERS
        taken.add(place)
        number_by_name[name] = _FIRST_TENANT_METER + place
    return number_by_name


def is_decision_meter(meter_id: int) -> bool:
    return FIRST_DECISION_METER <= meter_id < _FIRST_TENANT_METER


def group_id(name: str) -> int:
    """Return the OpenFlow group number of a group, below OFPG_MAX (OpenFlow 1.4, 7.3.4.4)."""
    return (_hash("group", name, 31) % 0x7FFF_FF00) or 1


@lru_cache(maxsize=1 << 15)
def cookie_of(rule_path: str) -> int:
    """Return the 64-bit cookie of a policy rule: owner mark, then a hash of its path.

    Decisions (`decisions.17`) and allowances (`allow.3`) have a mark of their own, then their number.
    """
    kind, _, number = rule_path.partition(".")
    if kind in _NUMBERED and number.isdecimal():
        return (_NUMBERED[kind] << COOKIE_OWNER_SHIFT) | int(number)
    return (COOKIE_OWNER << COOKIE_OWNER_SHIFT) | _hash("cookie", rule_path, COOKIE_OWNER_SHIFT)


def is_ours(cookie: int) -> bool:
    return cookie >> COOKIE_OWNER_SHIFT == COOKIE_OWNER or is_numbered(cookie)


def is_numbered(cookie: int) -> bool:
    """Return whether a cookie stands for a decision or an allowance, not for a rule of the policy."""
    return cookie >> COOKIE_OWNER_SHIFT in _NUMBERED.values()


def rule_of(cookie: int) -> str:
    """Return `decisions.17` or `allow.3` for a cookie that is numbered."""
    (kind,) = (kind for kind, mark in _NUMBERED.items() if mark == cookie >> COOKIE_OWNER_SHIFT)
    return f"{kind}.{cookie & ((1 << COOKIE_OWNER_SHIFT) - 1)}"
