"""Table `suspicion`: applies decisions about the source of a new connection.

Decisions and allowances are not compiled here: their flows are added and removed one by
one (`compiler/decisions.py`). The flows here are for all other sources: all connections
pass, but a tenant may have a limit per second, so that a flood of forged first packets
does not fill a table of connections.
"""

from collections.abc import Iterator

from controller.compiler.view import SwitchView, destination_is
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import Role
from controller.pipeline.flows import Flow, Meter, match
from controller.pipeline.tables import Table


def build_flows(view: SwitchView) -> Iterator[Flow]:
    yield Flow(Table.SUSPICION, priorities.MISS, match(), (), Table.SERVICE, "policy")
    for tenant in view.tenants:
        if not tenant.limit_per_s:
            continue
        because, meter = f"tenants.{tenant.name}.limit_per_second", view.whole.tenant_meters[tenant.name]
        for prefix in tenant.prefixes:
            wanted = match((f.ROLE, Role.BACKBONE), *destination_is(prefix))
            band = priorities.longest_prefix(priorities.LOW, prefix.prefixlen)
            yield Flow(Table.SUSPICION, band, wanted, (), Table.SERVICE, because, meter)


def build_meters(view: SwitchView) -> Iterator[Meter]:
    for tenant in view.tenants:
        if tenant.limit_per_s:
            because = f"tenants.{tenant.name}.limit_per_second"
            yield Meter(view.whole.tenant_meters[tenant.name], tenant.limit_per_s, because)
