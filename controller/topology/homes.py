"""Tenants whose home an edit moves: another switch will remember their connections. Pure."""

from controller.policy.model import Policy, Pool, PoolKind, Tenant


def moved_homes(before: Policy, after: Policy) -> list[str]:
    """Return a text for each tenant that stays, and whose open sessions end because its home moves."""
    home_by_tenant = {tenant.name: tenant.home for tenant in before.tenants}
    return [
        f"the home of {tenant.name} moves from {home} to {tenant.home}, so its open sessions end; "
        f"remedy: write `home: {home}` under tenants.{tenant.name}, and move it when it is quiet"
        for tenant in after.tenants
        if (home := home_by_tenant.get(tenant.name, tenant.home)) != tenant.home
    ]


def decoys_of(policy: Policy, tenant: Tenant) -> Pool | None:
    """Return the pool of decoys that stands in for a tenant's hosts: the one he names, else the first."""
    pools = (pool for pool in policy.pools if pool.kind is PoolKind.DECOY)
    return next((pool for pool in pools if tenant.decoys in ("", pool.name)), None)


def antivirus_of(policy: Policy, tenant: Tenant) -> Pool | None:
    """Return the pool that a tenant's clients ask: the one he names, else the first."""
    if tenant.antivirus is None:
        return None
    pools = (pool for pool in policy.pools if pool.kind is PoolKind.ANTIVIRUS)
    return next((pool for pool in pools if tenant.antivirus.pool in ("", pool.name)), None)
