"""The rules that limit a tenant's new connections, by their paths in the policy."""

from collections.abc import Iterator
from dataclasses import dataclass

from controller.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Limit:
    """`name`: the tenant, and the direction if it is not the usual one. `rule`: the path of the limit."""

    name: str
    rule: str
    per_s: int


def incoming_limit(tenant: str) -> str:
    """Return the path of the limit on connections from outside."""
    return f"tenants.{tenant}.limit_per_second"


def outgoing_limit(tenant: str) -> str:
    """Return the path of the limit on connections that the tenant begins."""
    return f"tenants.{tenant}.limit_per_second.outgoing"


def limits_of(policy: Policy) -> Iterator[Limit]:
    for tenant in policy.tenants:
        if tenant.limit_per_s:
            yield Limit(tenant.name, incoming_limit(tenant.name), tenant.limit_per_s)
            yield Limit(f"{tenant.name} (outgoing)", outgoing_limit(tenant.name), tenant.limit_per_s)
