"""Floods: sources with far too many connections, and tenants that exceed their limit. Pure.

A first packet does not prove its source, so a flood of them is reported to operators, but leads to no
decision by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.policy.limits import Limit, limits_of
from controller.policy.model import Address, Policy
from controller.suspicion.scores import Evidence

AT_ONCE = 200  # concurrent connections of one source
TOLD_EVERY_S = 60.0
LIMITS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class FloodChanged:
    """A tenant's limit has begun to drop first packets, or no longer does."""

    tenant: str
    is_flooded: bool
    packets_per_s: float
    limit_per_s: int


@dataclass(frozen=True, slots=True)
class _Count:
    at: float
    packets: int
    rate: float = 0.0
    is_flooded: bool = False


class Floods:
    def __init__(self) -> None:
        self._told: dict[Address, float] = {}  # when a source was last reported
        self._by_tenant: dict[str, _Count] = {}
        self._next = 0

    @property
    def flooded(self) -> Mapping[str, float]:
        """Return first packets per second of each tenant that gets more than its limit allows."""
        return {name: count.rate for name, count in self._by_tenant.items() if count.is_flooded}

    def on_connections(self, now: float, open_by_source: Mapping[Address, int]) -> list[Evidence]:
        """Record connection counts of sources; return evidence about each that has far too many."""
        self._told = {source: at for source, at in self._told.items() if now - at < TOLD_EVERY_S}
        found = []
        for source, count in open_by_source.items():
            if count >= AT_ONCE and source not in self._told:
                self._told[source] = now
                found.append(Evidence("flood", source, detail=f"{count} connections at once"))
        return found

    def on_packets(self, now: float, tenant: str, limit_per_s: int, packets: int) -> FloodChanged | None:
        """Record how many first packets have matched a tenant's limit flow; return what has changed."""
        last = self._by_tenant.get(tenant)
        if last is None or packets < last.packets or now <= last.at:  # the switch has reset its counter
            self._by_tenant[tenant] = _Count(now, packets, is_flooded=last.is_flooded if last else False)
            return None
        rate = (packets - last.packets) / (now - last.at)
        self._by_tenant[tenant] = _Count(now, packets, rate, rate > limit_per_s)
        if (rate > limit_per_s) is last.is_flooded:
            return None
        return FloodChanged(tenant, not last.is_flooded, rate, limit_per_s)

    def next_limits(self, policy: Policy) -> tuple[Limit, ...]:
        """Return the limits whose packets to ask for next: `LIMITS_AT_ONCE` of them, in turns."""
        limits = tuple(limits_of(policy))
        first = self._next if self._next < len(limits) else 0
        self._next = first + LIMITS_AT_ONCE
        return limits[first : self._next]

    def on_policy(self, policy: Policy) -> None:
        limited = {limit.name for limit in limits_of(policy)}
        self._by_tenant = {name: count for name, count in self._by_tenant.items() if name in limited}
