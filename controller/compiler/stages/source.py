"""Table `source`: drops packets with forged source addresses.

The backbone must not use a tenant's address, one of the edge's own, or one that is never
the source of a packet from outside (`common/special_addresses.py`); a tenant may use only
its own prefixes. Gateways, responders and decoys use other parties' addresses by design,
and anti-virus servers use their pool's: `service` and `resume` decide what they may reach.

There is one exception. Routers often have private addresses, inside an intranet and at
providers, and when a packet is too large for a link, such a router must say so to the
sender, or large mail stalls (RFC 1191, RFC 8201). That message passes from a private
address. It belongs to a known connection, or `service` drops it. Other ICMP errors pass
from valid addresses only: connections work without them.
"""

from collections.abc import Iterator

from common.special_addresses import EXCEPTIONS, NEVER_OUTSIDE, PRIVATE
from common.wire.values import network_of
from controller.compiler.antivirus_clients import translated
from controller.compiler.view import ETH_TYPES, TOO_LARGE, SwitchView, destination_is, source_is
from controller.ids import party_id
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import Role
from controller.pipeline.flows import Flow, match
from controller.pipeline.tables import Table
from controller.policy.model import Network, Tenant

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
    if Role.BACKBONE in roles:
        yield from _never_from_backbone(view)
    for role in sorted(roles & {Role.BACKBONE, Role.TENANT}):
        yield from _too_large(role)
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


def _never_from_backbone(view: SwitchView) -> Iterator[Flow]:
    for network, because in _ours(view):
        wanted = match((f.ROLE, Role.BACKBONE), *source_is(network))
        yield Flow(Table.SOURCE, priorities.DENY, wanted, (), None, because)
    for blocks, goto in ((NEVER_OUTSIDE, None), (EXCEPTIONS, Table.HOME)):
        for block in blocks:
            wanted = match((f.ROLE, Role.BACKBONE), *source_is(block.network))
            band = priorities.longest_prefix(priorities.RAISED, block.network.prefixlen)
            yield Flow(Table.SOURCE, band, wanted, (), goto, "uplinks")


def _too_large(role: Role) -> Iterator[Flow]:
    """A router with a private address reports that a packet is too large."""
    because = "uplinks" if role is Role.BACKBONE else "tenants"
    for block in PRIVATE:
        eth_type, source = source_is(block.network)
        wanted = match((f.ROLE, role), eth_type, source, *TOO_LARGE[eth_type[1]])
        yield Flow(Table.SOURCE, priorities.HIGH, wanted, (), Table.HOME, because)


def _ours(view: SwitchView) -> Iterator[tuple[Network, str]]:
    for tenant in view.policy.tenants:
        for prefix in tenant.prefixes:
            yield prefix, f"tenants.{tenant.name}.prefixes.{prefix}"
    for address, because in view.whole.own_addresses.items():
        yield network_of(address), because
