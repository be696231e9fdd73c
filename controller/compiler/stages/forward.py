"""Table `forward`: a MAC becomes a port. Nothing is ever flooded."""

from collections.abc import Iterator

from controller.compiler.view import SwitchView, mac_number
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.flows import Flow, Output, match
from controller.pipeline.tables import Table
from controller.policy.model import Attachment, Member


def build_flows(view: SwitchView) -> Iterator[Flow]:
    for uplink in view.uplinks:
        yield _deliver(uplink, f"uplinks.{uplink.name}")
    for tenant, gateway in view.tenant_gateways:
        yield _deliver(gateway, f"tenants.{tenant.name}.gateways.{gateway.name}")
    for pool, member in view.gateway_members:
        yield _deliver(member, f"pools.{pool.name}.members.{member.name}")


def _deliver(neighbour: Attachment | Member, because: str) -> Flow:
    wanted = match((f.ETH_DST, mac_number(neighbour.mac)))
    return Flow(Table.FORWARD, priorities.NORMAL, wanted, (Output(neighbour.at.port),), None, because)
