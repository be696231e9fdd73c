"""Tenants whose home moves because of an edit: another switch will track their connections. Pure."""

from controller.policy.model import Policy, Pool, PoolKind, Tenant


def moved_homes(before: Policy, after: Policy) -> list[str]:
    """Return a text for each remaining tenant whose open sessions end because its home moves."""
    home_by_tenant = {tenant.name: tenant.home for tenant in before.tenants}
    return [
        f"the home of {tenant.name} moves from {home} to {tenant.home}, so its open sessions end; "
        f"remedy: write `home: {home}` under tenants.{tenant.name}, and move it at a quiet time"
        for tenant in after.tenants
        if (home := home_by_tenant.get(tenant.name, tenant.home)) != tenant.home
    ]


def decoys_of(policy: Policy, tenant: Tenant) -> Pool | None:
    """Return a tenant's pool of decoys: the one it names, otherwise the first."""
    pools = (pool for pool in policy.pools if pool.kind is PoolKind.DECOY)
    return next((pool for pool in pools if tenant.decoys in ("", pool.name)), None)


def antivirus_of(policy: Policy, tenant: Tenant) -> Pool | None:
    """Return the pool that a tenant's clients use: the one it names, otherwise the first."""
    if tenant.antivirus is None:
        return None
    pools = (pool for pool in policy.pools if pool.kind is PoolKind.ANTIVIRUS)
    return next((pool for pool in pools if tenant.antivirus.pool in ("", pool.name)), None)
