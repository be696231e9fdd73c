"""The names of groups, from which their numbers are made."""

from collections.abc import Iterator

from controller.policy.model import Member, Policy, Pool, Tenant


def way_name(switch: str) -> str:
    """Name the group of trunks that lead to a switch."""
    return f"way to {switch}"


def gateways_name(tenant: Tenant, version: int) -> str:
    """Name the group of a tenant's gateways that speak one family."""
    return f"gateways of {tenant.name} (IPv{version})"


def uplinks_name(version: int) -> str:
    return f"uplinks (IPv{version})"


def member_name(pool: Pool, member: Member) -> str:
    """Name the group of one member, which falls back to its pool."""
    return f"{pool.name}/{member.name}"


def group_names(policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield every name that a group may have, and its readable form; a pool's group has the pool's name."""
    for pool in policy.pools:
        yield pool.name, f"pool {pool.name}"
    for pool in policy.pools:
        for member in pool.members:
            yield member_name(pool, member), f"{member.name} of pool {pool.name}"
    for switch in policy.switches:
        yield way_name(switch.name), way_name(switch.name)
    for version in (4, 6):
        yield uplinks_name(version), uplinks_name(version)
        for tenant in policy.tenants:
            yield gateways_name(tenant, version), gateways_name(tenant, version)
