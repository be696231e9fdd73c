"""Table `suspicion`: applies decisions about the source of a new connection.

Decisions and allowances are not compiled here: their flows are added and removed one by
one (`compiler/decisions.py`). The flows here are for all other sources: all connections
pass, but each tenant has a limit per second in each direction, so that a flood of first
packets at one tenant, or from one, does not fill the table of connections that all share.
"""

from collections.abc import Iterator

from controller.compiler.view import SwitchView, destination_is, source_is
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import Role
from controller.pipeline.flows import Flow, Meter, match
from controller.pipeline.tables import Table
from controller.policy.limits import incoming_limit, outgoing_limit
from controller.policy.model import Tenant


def build_flows(view: SwitchView) -> Iterator[Flow]:
    yield Flow(Table.SUSPICION, priorities.MISS, match(), (), Table.SERVICE, "policy")
    for tenant, role, because in _limits(view):
        ends = destination_is if role is Role.BACKBONE else source_is
        for prefix in tenant.prefixes:
            wanted = match((f.ROLE, role), *ends(prefix))
            band = priorities.longest_prefix(priorities.LOW, prefix.prefixlen)
            meter = view.whole.tenant_meters[because]
            yield Flow(Table.SUSPICION, band, wanted, (), Table.SERVICE, because, meter)


def build_meters(view: SwitchView) -> Iterator[Meter]:
    for tenant, _, because in _limits(view):
        yield Meter(view.whole.tenant_meters[because], tenant.limit_per_s, because)


def _limits(view: SwitchView) -> Iterator[tuple[Tenant, Role, str]]:
    """Yield each limit that holds here, and whose packets it concerns.

    What one tenant begins towards another is tracked at the other's home, so that limit holds at all homes.
    """
    for tenant in view.tenants:
        if tenant.limit_per_s:
            yield tenant, Role.BACKBONE, incoming_limit(tenant.name)
    for tenant in view.policy.tenants if view.tenants else ():
        if tenant.limit_per_s:
            yield tenant, Role.TENANT, outgoing_limit(tenant.name)
