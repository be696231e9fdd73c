"""Tenants whose home an edit moves: another switch will remember their connections. Pure."""

from controller.policy.model import Policy


def moved_homes(before: Policy, after: Policy) -> list[str]:
    """Return a text for each tenant that stays, and whose open sessions end because its home moves."""
    home_by_tenant = {tenant.name: tenant.home for tenant in before.tenants}
    return [
        f"the home of {tenant.name} moves from {home} to {tenant.home}, so its open sessions end; "
        f"remedy: write `home: {home}` under tenants.{tenant.name}, and move it when it is quiet"
        for tenant in after.tenants
        if (home := home_by_tenant.get(tenant.name, tenant.home)) != tenant.home
    ]
