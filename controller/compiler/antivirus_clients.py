"""The clients of the anti-virus servers, and the addresses that the servers see.

Clients in intranets use an address of their tenant, scanners use their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from controller.policy.model import Address, Member, Network, Policy, Pool, PoolKind, Tenant
from controller.topology.homes import antivirus_of


@dataclass(frozen=True, slots=True)
class Translated:
    """Clients of a tenant that use a virtual address; servers see them as `seen_as`. One address family."""

    tenant: Tenant
    pool: Pool
    vip: Address
    seen_as: IPv4Address | IPv6Address

    @property
    def clients(self) -> Iterator[Network]:
        """Yield prefixes of the intranet that are not the tenant's own."""
        own = self.tenant.prefixes
        for prefix in self.tenant.antivirus.clients if self.tenant.antivirus else ():
            if prefix.version == self.vip.version and not any(_lies_inside(prefix, each) for each in own):
                yield prefix

    @property
    def path(self) -> str:
        return f"tenants.{self.tenant.name}.antivirus"


@dataclass(frozen=True, slots=True)
class Scanner:
    """A scanner that uses a virtual address under its own address. One address family."""

    scanners: Pool
    member: Member
    address: Address
    pool: Pool
    vip: Address


def antivirus_pools(policy: Policy) -> tuple[Pool, ...]:
    return tuple(pool for pool in policy.pools if pool.kind is PoolKind.ANTIVIRUS)


def translated(policy: Policy, tenant: Tenant) -> Iterator[Translated]:
    pool = antivirus_of(policy, tenant)
    for vip in pool.vip if pool else ():
        for address in tenant.antivirus.addresses if tenant.antivirus else ():
            if pool and address.version == vip.version:
                yield Translated(tenant, pool, vip, address)


def asking_scanners(policy: Policy) -> Iterator[Scanner]:
    for scanners in policy.pools:
        for member in scanners.members if scanners.kind is PoolKind.SCANNER else ():
            for pool in antivirus_pools(policy):
                for vip in pool.vip:
                    for address in member.addresses:
                        if address.version == vip.version:
                            yield Scanner(scanners, member, address, pool, vip)


def _lies_inside(prefix: Network, wide: Network) -> bool:
    return (
        prefix.version == wide.version
        and prefix.prefixlen >= wide.prefixlen
        and prefix.network_address in wide
    )
