"""Which conntrack zone a leg of a connection has, on each switch.

Switches of one machine share their conntrack table, so each has zones of its own:
21 is leg 1 on switch 2. Clients of the anti-virus servers may have the same private
addresses in several intranets, so each tenant has a zone for them.
"""

from collections.abc import Iterable, Mapping
from zlib import crc32

from controller.pipeline.fields import Zone

_PER_SWITCH = 10
_SWITCHES = 3_000
_FIRST_OF_TENANTS = _PER_SWITCH * _SWITCHES
_OF_TENANTS = 65_536 - _FIRST_OF_TENANTS


def zone_number(dpid: int, leg: Zone) -> int:
    """Return the conntrack zone of a leg that all tenants share on a switch."""
    return switch_part(dpid) * _PER_SWITCH + leg


def switch_part(dpid: int) -> int:
    """Return a switch's part of the numbers of its zones."""
    return dpid % _SWITCHES


def client_zones(tenants: Iterable[str]) -> Mapping[str, int]:
    """Return the zone of each tenant's clients. A name keeps its number, except after a rare clash."""
    zones: dict[str, int] = {}
    used: set[int] = set()
    for tenant in sorted(tenants):
        number = crc32(tenant.encode()) % _OF_TENANTS
        while number in used:
            number = (number + 1) % _OF_TENANTS
        used.add(number)
        zones[tenant] = _FIRST_OF_TENANTS + number
    return zones


def leg_number(zone: int) -> int:
    """Return the leg of a zone: a `Zone`, or the number itself if the zone is not ours."""
    return Zone.CLIENT if zone >= _FIRST_OF_TENANTS else zone % _PER_SWITCH


def leg_of(zone: int) -> Zone:
    """Return the leg of a zone. Raise `ValueError` if the zone is not ours."""
    return Zone(leg_number(zone))


def may_be_of(zone: int, dpid: int) -> bool:
    """Return whether a switch may know connections of a zone; every switch may know a tenant's clients."""
    return zone >= _FIRST_OF_TENANTS or zone // _PER_SWITCH == switch_part(dpid)
