"""The space of all packets of one proof: the atoms of every dimension, and who may send."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from controller.compiler.neighbours import Neighbour, neighbours_of
from controller.pipeline.fields import VLAN_PRESENT, EthType, IpProto, Role
from controller.policy.model import Address, Network, Policy, PortRef
from controller.proof import dims, modes
from controller.proof.atoms import Domain, Prefix, cut, places
from controller.proof.flows import (
    BitsCriterion,
    FieldCriterion,
    Fork,
    HeldFlows,
    NeutralFlow,
    Operation,
    SetTo,
    Teach,
    Track,
    ip_prefix,
)
from controller.proof.oxm import BITS
from controller.topology.ports import mac_number, ports_of

# Types of ICMP messages that quote a packet of another connection; and queries and answers,
# which have their own.
# Conntrack calls all others invalid.
ICMP_ERRORS, ICMPV6_ERRORS = (3, 4, 5, 11, 12), (1, 2, 3, 4)
ICMP_QUERIES, ICMPV6_QUERIES = (0, 8, 13, 14, 15, 16, 17, 18), (128, 129, 139, 140)
FRAGMENT_HEADER = 44  # the protocol that later fragments of IPv6 show
HIDDEN_PROTO = 1 << 8  # for the proof, the protocol of such a fragment
SMTP = 25
NO_MAC = 0
# Masks of dimension FRAGMENT: its values are those of ip_frag (ovs-fields(7)). No fragment has ports in
# the tables, not even the first: for the proof, NO_PORT; for a flow that matches it, zero.
WHOLE, FIRST, LATER = 1 << 0, 1 << 1, 1 << 3
PIECES = FIRST | LATER
NO_PORT = 1 << 16
_VALUES_OF_FLAGS = {dims.FRAGMENT: 4, dims.CT_STATE: modes.STATES}
_MACS, _IPS, _PORTS = dims.ETH_SRC, dims.IP_SRC, dims.SPORT
# Dimensions that share atoms have one domain, that of the first of them.
_DOMAIN_OF = {
    dims.ETH_DST: _MACS, dims.LABEL_R: _MACS, dims.LABEL_I: _MACS, dims.RESPONDER: _MACS,
    dims.INITIATOR: _MACS, dims.IP_DST: _IPS, dims.DPORT: _PORTS, dims.CT_DPORT: _PORTS,
    dims.CT_PROTO: dims.PROTO, dims.ND_TARGET: _IPS, dims.INNER_VLAN: dims.VLAN,
}  # fmt: skip
_CONSTANTS = {
    dims.ETH_TYPE: tuple(EthType),
    dims.PROTO: (*IpProto, 0, FRAGMENT_HEADER, HIDDEN_PROTO),
    _PORTS: (0, SMTP, NO_PORT),
    _MACS: (NO_MAC,),
    dims.ICMP_TYPE: (135, 136, *ICMP_ERRORS, *ICMPV6_ERRORS, *ICMP_QUERIES, *ICMPV6_QUERIES),
    dims.ICMP_CODE: (0,),
    dims.CT_ZONE: (0,),
    dims.ROLE: (0,),
    dims.PARTY: (0,),
    dims.LEG: (0,),
    dims.POOL: (0,),
    dims.TREATMENT: (0,),
    dims.VLAN: (0, VLAN_PRESENT),
    dims.IN_PORT: (0,),
}


@dataclass(frozen=True, slots=True)
class Sender:
    """An edge port. Without a neighbour: all ports of a switch that the policy does not name."""

    switch: str
    port: int = 0
    neighbour: Neighbour | None = None

    @property
    def path(self) -> str:
        return self.neighbour.path if self.neighbour else f"{self.switch}:another port"


@dataclass(frozen=True)
class Space:
    policy: Policy
    domains: Mapping[int, Domain]
    senders: tuple[Sender, ...]
    everything: tuple[int, ...] = field(default=())

    def value(self, dim: int, value: int) -> int:
        """Return the mask of one value. Raise `KeyError` if no constant names it."""
        return self.domains[_DOMAIN_OF.get(dim, dim)].masks[value, BITS[dim]]

    def atom(self, dim: int, value: int) -> int:
        """Return the mask of the atom that a value lies in."""
        return self.domain(dim).atom_of(value)

    def domain(self, dim: int) -> Domain:
        return self.domains[_DOMAIN_OF.get(dim, dim)]

    def address(self, address: Address) -> int:
        return self.domains[_IPS].masks[ip_prefix(address.version, int(address), address.max_prefixlen)]

    def network(self, network: Network) -> int:
        return self.domains[_IPS].masks[
            ip_prefix(network.version, int(network.network_address), network.prefixlen)
        ]

    def version(self, version: int) -> int:
        return self.domains[_IPS].masks[ip_prefix(version, 0, 0)]

    def versions_of(self, eth_types: int) -> int:
        """Return the addresses that packets of some ethertypes may have; all if none of them is IP."""
        pairs = ((EthType.IPV4, 4), (EthType.IPV6, 6))
        found = [
            self.version(number) for each, number in pairs if self.value(dims.ETH_TYPE, each) & eth_types
        ]
        return sum(found) or self.everything[dims.IP_SRC]

    def mac(self, mac: str) -> int:
        return self.value(_MACS, mac_number(mac))

    def conditions(self, criteria: Iterable[FieldCriterion | BitsCriterion]) -> tuple[tuple[int, int], ...]:
        """Return what a flow's criteria mean here: dimensions and masks, one of each dimension."""
        masks: dict[int, int] = {}
        for each in criteria:
            if isinstance(each, BitsCriterion):
                values = range(_VALUES_OF_FLAGS[each.dim])
                wanted = each.value & each.mask
                dim, mask = each.dim, sum(1 << value for value in values if value & each.mask == wanted)
            else:
                dim, mask = each.dim, self.domain(each.dim).masks[each.value, each.length]
                if _DOMAIN_OF.get(dim, dim) == _PORTS and mask & self.port_zero:
                    mask |= self.no_port
                elif dim == dims.PROTO and mask & self.value(dim, FRAGMENT_HEADER):
                    mask |= self.hidden_proto
            masks[dim] = masks.get(dim, mask) & mask
        return tuple(masks.items())

    @cached_property
    def no_port(self) -> int:
        return self.value(_PORTS, NO_PORT)

    @cached_property
    def hidden_proto(self) -> int:
        return self.value(dims.PROTO, HIDDEN_PROTO)

    @cached_property
    def port_zero(self) -> int:
        return self.value(_PORTS, 0)

    @cached_property
    def sender_by_port(self) -> dict[tuple[str, int], int]:
        return {(each.switch, each.port): place for place, each in enumerate(self.senders) if each.neighbour}

    @cached_property
    def mac_of_sender(self) -> tuple[int, ...]:
        """The mask of each sender's MAC in the policy; 0: it has none."""
        return tuple(self.value(_MACS, each.neighbour.mac) if each.neighbour else 0 for each in self.senders)

    @cached_property
    def kin(self) -> tuple[tuple[int, int], ...]:
        """For each sender: its kin as senders, and their MACs. Only routers have others."""
        group_of = [self._kin_name(each) for each in self.senders]
        senders: dict[str, int] = defaultdict(int)
        macs: dict[str, int] = defaultdict(int)
        for place, name in enumerate(group_of):
            senders[name] |= 1 << place
            macs[name] |= self.mac_of_sender[place]
        return tuple((senders[name], macs[name]) for name in group_of)

    @staticmethod
    def _kin_name(sender: Sender) -> str:
        return (sender.neighbour.kin or sender.neighbour.path) if sender.neighbour else sender.path

    def senders_with(self, *roles: Role) -> int:
        """Return the senders that have one of some roles."""
        return sum(
            1 << place
            for place, each in enumerate(self.senders)
            if each.neighbour and each.neighbour.role in roles
        )

    @cached_property
    def routers(self) -> int:
        return self.senders_with(Role.BACKBONE, Role.TENANT)

    def paths(self, senders: int) -> list[str]:
        return [self.senders[place].path for place in places(senders)]


def space_of(
    policy: Policy, switches: Mapping[str, HeldFlows], more: Iterable[tuple[int, Prefix]] = ()
) -> Space:
    """Return the space that the flows of some switches and the policy's own values cut."""
    constants: dict[int, set[Prefix]] = defaultdict(set)
    for dim, values in _CONSTANTS.items():
        constants[dim] |= {(int(value), BITS[dim]) for value in values}
    constants[dims.VLAN].add((VLAN_PRESENT, 1))
    constants[_IPS] |= {ip_prefix(4, 0, 0), ip_prefix(6, 0, 0)}
    for dim, prefix in (*_of_policy(policy), *more):
        constants[_DOMAIN_OF.get(dim, dim)].add(prefix)
    for switch in switches.values():
        for dim, prefix in _of_switch(switch):
            constants[_DOMAIN_OF.get(dim, dim)].add(prefix)
    domains = {dim: cut(BITS[dim], constants[dim]) for dim in BITS if dim not in _DOMAIN_OF}
    senders = [Sender(each.at.switch, each.at.port, each) for each in neighbours_of(policy)]
    senders += [Sender(each.name) for each in policy.switches]
    everything = [1] * dims.MASKS
    for dim in BITS:
        everything[dim] = domains[_DOMAIN_OF.get(dim, dim)].everything
    everything[dims.SENDER] = (1 << len(senders)) - 1
    everything[dims.FRAGMENT] = WHOLE | PIECES
    everything[dims.CT_STATE] = (1 << modes.STATES) - 1
    everything[dims.MODE] = modes.ALL
    return Space(policy, domains, tuple(senders), tuple(everything))


def _of_policy(policy: Policy) -> Iterator[tuple[int, Prefix]]:
    for use in ports_of(policy):
        yield dims.IN_PORT, (use.at.port, BITS[dims.IN_PORT])
    macs = [each.mac for each in policy.switches] + [use.mac for use in ports_of(policy) if use.mac]
    for mac in macs:
        yield _MACS, (mac_number(mac), BITS[_MACS])
    for pool in policy.pools:
        for address in (*pool.vip, *(each for member in pool.members for each in member.addresses)):
            yield _IPS, ip_prefix(address.version, int(address), address.max_prefixlen)
        yield _PORTS, (pool.port, BITS[_PORTS])
    for tenant in policy.tenants:
        for prefix in tenant.prefixes:
            yield _IPS, ip_prefix(prefix.version, int(prefix.network_address), prefix.prefixlen)
        servers = [*(tenant.mail.servers if tenant.mail else ())]
        for service in tenant.services:
            servers += service.servers
            for port in service.ports:
                yield _PORTS, (port, BITS[_PORTS])
        for address in (*servers, *(tenant.antivirus.addresses if tenant.antivirus else ())):
            yield _IPS, ip_prefix(address.version, int(address), address.max_prefixlen)


def _of_switch(switch: HeldFlows) -> Iterator[tuple[int, Prefix]]:
    for flow in switch.flows:
        yield from _of_flow(flow)
    for buckets in switch.groups.values():
        for bucket in buckets:
            yield from _of_operations(bucket)


def _of_flow(flow: NeutralFlow) -> Iterator[tuple[int, Prefix]]:
    for each in flow.criteria:
        if isinstance(each, FieldCriterion):
            yield each.dim, (each.value, each.length)
    yield from _of_operations(flow.operations)


def _of_operations(operations: tuple[Operation, ...]) -> Iterator[tuple[int, Prefix]]:
    for each in operations:
        if isinstance(each, SetTo):
            yield each.dim, (each.value, BITS[each.dim])
        elif isinstance(each, Fork):
            yield from _of_operations(each.operations)
        elif isinstance(each, Teach):
            yield from ((c.dim, (c.value, c.length)) for c in each.criteria)
            yield from _of_operations(each.operations)
        elif isinstance(each, Track):
            yield dims.CT_ZONE, (each.zone, BITS[dims.CT_ZONE])
            for half in (each.responder, each.initiator):
                if half.value is not None:
                    yield _MACS, (half.value, BITS[_MACS])
            if each.translation and each.translation.source:
                yield _IPS, each.translation.source


def trunk_ends(policy: Policy) -> dict[tuple[str, int], PortRef]:
    """Return, for each end of a trunk, the other one."""
    ends = {(link.a.switch, link.a.port): link.b for link in policy.links}
    return ends | {(link.b.switch, link.b.port): link.a for link in policy.links}
