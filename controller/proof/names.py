"""Which values of flows and policy are a tenant's own: its party, MACs, ports, addresses, and zone."""

from bisect import bisect_right
from collections.abc import Iterator

from controller.compiler.neighbours import neighbours_of
from controller.ids import party_id
from controller.pipeline.fields import Role, Zone
from controller.pipeline.zones import client_zones, zone_number
from controller.policy.model import Address, Network, Policy, Tenant
from controller.proof import dims
from controller.proof.atoms import Prefix
from controller.proof.flows import IP_BITS, ip_prefix
from controller.proof.oxm import BITS
from controller.topology.ports import mac_number, ports_of

_MACS = (dims.ETH_SRC, dims.ETH_DST, dims.LABEL_R, dims.LABEL_I)
_IPS = (dims.IP_SRC, dims.IP_DST, dims.ND_TARGET)
# Dimensions that may tell tenants apart, and the kind of their values.
KIND_OF = {
    **dict.fromkeys(_MACS, dims.ETH_SRC), **dict.fromkeys(_IPS, dims.IP_SRC),
    dims.IN_PORT: dims.IN_PORT, dims.PARTY: dims.PARTY, dims.CT_ZONE: dims.CT_ZONE,
}  # fmt: skip
Value = tuple[int, str, int, int]  # kind; switch (only of ports); value, length
Token = tuple[object, ...]  # what a value is to its tenant: the same for tenants that are alike


def address_prefix(address: Address) -> Prefix:
    return ip_prefix(address.version, int(address), address.max_prefixlen)


def network_prefix(network: Network) -> Prefix:
    return ip_prefix(network.version, int(network.network_address), network.prefixlen)


class TenantNames:
    """Finds the tenant that a value belongs to. `shared`: tenants with a value that is not theirs alone."""

    def __init__(self, policy: Policy) -> None:
        self.shared: set[str] = set()
        self.values: dict[str, list[Value]] = {tenant.name: [] for tenant in policy.tenants}
        self._exact: dict[Value, tuple[str, Token]] = {}
        networks: list[tuple[int, int, str, int]] = []
        zones = client_zones(tenant.name for tenant in policy.tenants if tenant.antivirus)
        for tenant in policy.tenants:
            for place, value in enumerate(_exact_values(tenant, zones.get(tenant.name, 0))):
                self.values[tenant.name].append(value)
                other, _ = self._exact.setdefault(value, (tenant.name, (value[0], value[1], place)))
                if other != tenant.name:
                    self.shared |= {other, tenant.name}
            for place, (first, length) in enumerate(_networks(tenant)):
                self.values[tenant.name].append((dims.IP_SRC, "", first, length))
                networks.append((first, length, tenant.name, place))
        self._networks = self._disjoint(networks)
        self._starts = [first for first, *_ in self._networks]
        for value in _of_others(policy):
            owner, _ = self._owner(value)
            if owner:
                self.shared.add(owner)

    def _disjoint(self, networks: list[tuple[int, int, str, int]]) -> list[tuple[int, int, str, int]]:
        """Return the networks that lie in no other; a network inside another one is part of that."""
        kept: list[tuple[int, int, str, int]] = []
        for first, length, name, place in sorted(networks):
            if kept and first >> (IP_BITS - kept[-1][1]) == kept[-1][0] >> (IP_BITS - kept[-1][1]):
                if kept[-1][2] != name:
                    self.shared |= {kept[-1][2], name}
            else:
                kept.append((first, length, name, place))
        return kept

    def find(self, switch: str, dim: int, value: int, length: int) -> tuple[str, Token, Value | None]:
        """Return the owner of a value and what it is to it; "" if it has none.

        The last one is a prefix that belongs to no tenant, but may contain a tenant's values.
        """
        kind = KIND_OF.get(dim)
        if kind is None:
            return "", (dim, value, length), None
        asked = (kind, switch if kind == dims.IN_PORT else "", value, length)
        owner, token = self._owner(asked)
        if owner:
            return owner, (dim, *token), None
        return "", (dim, *asked), asked if kind == dims.IP_SRC or length != BITS[dim] else None

    def _owner(self, value: Value) -> tuple[str, Token]:
        if value[0] != dims.IP_SRC:
            return self._exact.get(value, ("", ()))
        place = bisect_right(self._starts, value[2]) - 1
        if place >= 0:
            first, length, name, number = self._networks[place]
            if value[3] >= length and first >> (IP_BITS - length) == value[2] >> (IP_BITS - length):
                return name, (dims.IP_SRC, number, value[2] - first, value[3] - length)
        return "", ()


def _exact_values(tenant: Tenant, zone: int) -> Iterator[Value]:
    if zone:
        yield dims.CT_ZONE, "", zone, BITS[dims.CT_ZONE]
    yield dims.PARTY, "", party_id(f"tenants.{tenant.name}"), BITS[dims.PARTY]
    for gateway in tenant.gateways:
        yield dims.ETH_SRC, "", mac_number(gateway.mac), BITS[dims.ETH_SRC]
        yield dims.IN_PORT, gateway.at.switch, gateway.at.port, BITS[dims.IN_PORT]


def _networks(tenant: Tenant) -> Iterator[Prefix]:
    yield from map(network_prefix, tenant.prefixes)
    for gateway in tenant.gateways:
        yield from map(address_prefix, gateway.edge)
    if tenant.antivirus:
        yield from map(address_prefix, tenant.antivirus.addresses)


def _of_others(policy: Policy) -> Iterator[Value]:
    """Yield the values of the policy that belong to no tenant."""
    for switch in policy.switches:
        for leg in Zone:
            yield dims.CT_ZONE, "", zone_number(switch.dpid, leg), BITS[dims.CT_ZONE]
        yield dims.ETH_SRC, "", mac_number(switch.mac), BITS[dims.ETH_SRC]
    for each in neighbours_of(policy):
        if each.role is not Role.TENANT:
            yield dims.PARTY, "", each.party, BITS[dims.PARTY]
            yield dims.ETH_SRC, "", each.mac, BITS[dims.ETH_SRC]
            yield dims.IN_PORT, each.at.switch, each.at.port, BITS[dims.IN_PORT]
    tenants = {gateway.at for tenant in policy.tenants for gateway in tenant.gateways}
    for use in ports_of(policy):
        if use.at not in tenants:
            yield dims.IN_PORT, use.at.switch, use.at.port, BITS[dims.IN_PORT]
    addresses = [address for uplink in policy.uplinks for address in uplink.edge]
    for pool in policy.pools:
        addresses += [*pool.edge, *pool.vip]
        addresses += [address for member in pool.members for address in member.addresses]
    for address in addresses:
        yield dims.IP_SRC, "", *address_prefix(address)
