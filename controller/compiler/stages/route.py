"""Table `route`: the longest prefix says which gateway comes next."""

from collections.abc import Iterator

from controller.compiler.view import SwitchView, destination_is, eth_type_of, mac_number
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.flows import Flow, SetField, match
from controller.pipeline.tables import Table


def build_flows(view: SwitchView) -> Iterator[Flow]:
    for tenant in view.policy.tenants:
        for prefix in tenant.prefixes:
            # The policy's checks see to it that some gateway speaks every family of the prefixes.
            gateway = next(g for g in tenant.gateways if any(a.version == prefix.version for a in g.edge))
            yield Flow(
                Table.ROUTE,
                priorities.longest_prefix(priorities.NORMAL, prefix.prefixlen),
                match(*destination_is(prefix)),
                (SetField(f.ETH_DST, mac_number(gateway.mac)),),
                Table.COMMIT,
                f"tenants.{tenant.name}.prefixes.{prefix}",
            )
    yield from _to_backbone(view)


def _to_backbone(view: SwitchView) -> Iterator[Flow]:
    """Yield one way out for each address family: the first uplink by name that speaks it."""
    served: set[int] = set()
    for uplink in view.policy.uplinks:
        for address in uplink.edge:
            if address.version in served:
                continue
            served.add(address.version)
            yield Flow(
                Table.ROUTE,
                priorities.LOW,
                match(eth_type_of(address)),
                (SetField(f.ETH_DST, mac_number(uplink.mac)),),
                Table.COMMIT,
                f"uplinks.{uplink.name}",
            )
