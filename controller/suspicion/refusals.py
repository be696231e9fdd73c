"""Decisions that are always refused: those that would hurt the edge, its tenants, or all sources."""

from bisect import bisect_right
from dataclasses import dataclass

from common.wire.values import network_of
from controller.policy.model import Address, Network, Policy, Protocol
from controller.suspicion.decision import Request

WIDEST = {4: 8, 6: 19}  # shortest prefix that a decision may cover, by family
LONGEST_S = 400 * 86_400.0


@dataclass(frozen=True, slots=True)
class Refusal:
    error: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.error}; remedy: {self.remedy}"


class Guard:
    """Knows what is behind the edge; built again for every policy."""

    def __init__(self, policy: Policy) -> None:
        self._tenants = {tenant.name for tenant in policy.tenants}
        owned = [(prefix, f"tenant {each.name}'s") for each in policy.tenants for prefix in each.prefixes]
        owned += [(network_of(address), "the edge's own") for address in _own(policy)]
        self._owned = sorted((*_span(network), whose) for network, whose in owned)
        self._starts = [entry[:2] for entry in self._owned]

    def refusal(self, request: Request) -> Refusal | None:
        """Return why a decision is refused; None: it is allowed."""
        scope, source = request.scope, request.scope.source
        if source.prefixlen < WIDEST[source.version]:
            widest = WIDEST[source.version]
            return Refusal(
                f"{source} is too large a range", f"use a /{widest} at most, or one decision for each part"
            )
        if whose := self.owner(source):
            return Refusal(f"{source} covers {whose} addresses", "name only external addresses")
        if scope.tenant and scope.tenant not in self._tenants:
            return Refusal(f"no tenant is named {scope.tenant}", f"use one of {sorted(self._tenants)[:12]}")
        if scope.port and scope.protocol not in (Protocol.TCP, Protocol.UDP):
            return Refusal("a port needs a protocol that has ports", "add protocol tcp or udp")
        if not 1.0 <= request.duration_s <= LONGEST_S:
            return Refusal(f"{request.duration_s:g} s is not a valid duration", "use 1 second to 400 days")
        return None

    def owner(self, source: Network) -> str:
        """Return the owner behind the edge whose addresses a range overlaps; empty: none."""
        version, first, last = _span(source)
        at = bisect_right(self._starts, (version, last)) - 1
        if at >= 0:
            family, _, end, whose = self._owned[at]
            if family == version and end >= first:
                return whose
        return ""


def _span(network: Network) -> tuple[int, int, int]:
    return network.version, int(network.network_address), int(network.broadcast_address)


def _own(policy: Policy) -> set[Address]:
    own: set[Address] = {address for pool in policy.pools for address in (*pool.edge, *pool.vip)}
    own |= {address for pool in policy.pools for member in pool.members for address in member.addresses}
    own |= {
        address for tenant in policy.tenants if tenant.antivirus for address in tenant.antivirus.addresses
    }
    for router in (*policy.uplinks, *(each for tenant in policy.tenants for each in tenant.gateways)):
        own |= set(router.edge)
    return own
