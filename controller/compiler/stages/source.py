"""Table `source`: drops packets with forged source addresses.

The backbone must not use a tenant's address, one of the edge's own, or one that
no router should forward (RFC 6890); a tenant may use only its own prefixes.
Gateways, responders and decoys use other parties' addresses by design, and anti-virus servers
use their pool's: `service` decides what they may reach.
"""

from collections.abc import Iterator
from ipaddress import ip_network

from controller.compiler.antivirus_clients import translated
from controller.compiler.view import ETH_TYPES, SwitchView, destination_is, source_is
from controller.ids import party_id
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import Role
from controller.pipeline.flows import Flow, match
from controller.pipeline.tables import Table
from controller.policy.model import Network, Tenant

# Special-purpose blocks that never appear as a source on the backbone (RFC 6890, RFC 1918).
BOGONS: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "224.0.0.0/3",
            "::/96",
            "::ffff:0:0/96",
            "fc00::/7",
            "fe80::/10",
            "ff00::/8",
        ),
    )
)

# Roles whose other sources pass; later tables decide where they may go.
_UNRESTRICTED = (
    (Role.BACKBONE, "uplinks"),
    (Role.GATEWAY, "pools"),
    (Role.RESPONDER, "pools"),
    (Role.DECOY, "pools"),
    (Role.ANTIVIRUS, "pools"),
)


def build_flows(view: SwitchView) -> Iterator[Flow]:
    roles = {neighbour.role for neighbour in view.neighbours}
    for network, because in _never_from_backbone(view) if Role.BACKBONE in roles else ():
        wanted = match((f.ROLE, Role.BACKBONE), *source_is(network))
        yield Flow(Table.SOURCE, priorities.DENY, wanted, (), None, because)
    for eth_type in ETH_TYPES:
        for role, because in _UNRESTRICTED:
            if role not in roles:
                continue
            wanted = match((f.ROLE, role), (f.ETH_TYPE, eth_type))
            yield Flow(Table.SOURCE, priorities.NORMAL, wanted, (), Table.HOME, because)
    for tenant in dict.fromkeys(tenant for tenant, _ in view.tenant_gateways):
        party = party_id(f"tenants.{tenant.name}")
        for prefix in tenant.prefixes:
            wanted = match((f.ROLE, Role.TENANT), (f.PARTY, party), *source_is(prefix))
            because = f"tenants.{tenant.name}.prefixes.{prefix}"
            yield Flow(Table.SOURCE, priorities.NORMAL, wanted, (), Table.HOME, because)
        yield from _private(view, tenant)


def _private(view: SwitchView, tenant: Tenant) -> Iterator[Flow]:
    """Addresses that are valid only inside the intranet reach only the anti-virus servers."""
    party = party_id(f"tenants.{tenant.name}")
    for each in translated(view.policy, tenant):
        for prefix in each.clients:
            _, destination = destination_is(each.vip)
            wanted = match((f.ROLE, Role.TENANT), (f.PARTY, party), *source_is(prefix), destination)
            because = f"{each.path}.clients.{prefix}"
            yield Flow(Table.SOURCE, priorities.NORMAL, wanted, (), Table.HOME, because)


def _never_from_backbone(view: SwitchView) -> Iterator[tuple[Network, str]]:
    for network in BOGONS:
        yield network, "uplinks"
    for network, because in _ours(view):
        # Private addresses are already refused above; a second flow would never match.
        if not any(_lies_inside(network, bogon) for bogon in BOGONS):
            yield network, because


def _ours(view: SwitchView) -> Iterator[tuple[Network, str]]:
    for tenant in view.policy.tenants:
        for prefix in tenant.prefixes:
            yield prefix, f"tenants.{tenant.name}.prefixes.{prefix}"
    for address, because in view.whole.own_addresses.items():
        yield ip_network(address), because


def _lies_inside(network: Network, wide: Network) -> bool:
    return (
        network.version == wide.version
        and network.prefixlen >= wide.prefixlen
        and network.network_address in wide
    )
