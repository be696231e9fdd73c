"""Tables `neighbour` and `advertise`: the switch itself answers ARP and neighbour discovery.

It answers for the edge's own addresses on each link, and on the links of
gateways for the virtual addresses that they may use. Other solicitations are
dropped. So neighbours can still resolve the edge while the controller is
down. An advertisement takes two tables, because a flow may write `nd_tll` only
if it has matched an advertisement (ovs-fields(7)).
"""

from collections.abc import Iterator
from ipaddress import IPv4Address

from controller.compiler.view import SwitchView
from controller.ids import party_id
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import EthType, IpProto
from controller.pipeline.flows import IN_PORT_NUMBER, Flow, Move, Output, SetField, match
from controller.pipeline.tables import Table
from controller.policy.model import Address

_REQUEST, _REPLY = 1, 2  # RFC 826
_SOLICITATION, _ADVERTISEMENT = 135, 136  # RFC 4861, 4.3 and 4.4
_ROUTER_SOLICITED_OVERRIDE = 0xE000_0000  # flags R, S, O of an advertisement
_TARGET_LINK_LAYER_ADDRESS = 2  # RFC 4861, 4.6.1


def build_flows(view: SwitchView) -> Iterator[Flow]:
    completed: set[Address] = set()
    for party, address, because in _answered(view):
        if isinstance(address, IPv4Address):
            yield _arp_reply(view, party, int(address), because)
        else:
            yield _begin_advertisement(view, party, int(address), because)
            if address not in completed:
                completed.add(address)
                yield _complete_advertisement(view, int(address), because)


def _answered(view: SwitchView) -> Iterator[tuple[int, Address, str]]:
    """Yield (party, address, rule path) for every address that a party may resolve."""
    for uplink in view.uplinks:
        for address in uplink.edge:
            path = f"uplinks.{uplink.name}"
            yield party_id(path), address, f"{path}.edge.{address}"
    seen: set[tuple[int, Address]] = set()
    for tenant, gateway in view.tenant_gateways:
        party = party_id(f"tenants.{tenant.name}")
        for address in gateway.edge:
            if (party, address) not in seen:
                seen.add((party, address))
                yield party, address, f"tenants.{tenant.name}.gateways.{gateway.name}.edge.{address}"
    for pool in view.gateway_pools:
        party = party_id(f"pools.{pool.name}")
        for address in pool.edge:
            yield party, address, f"pools.{pool.name}.edge.{address}"
        for scanners in view.scanners_asked_by(pool):
            for address in scanners.vip:
                yield party, address, f"pools.{scanners.name}.vip.{address}"


def _arp_reply(view: SwitchView, party: int, address: int, because: str) -> Flow:
    wanted = match((f.PARTY, party), (f.ETH_TYPE, EthType.ARP), (f.ARP_OP, _REQUEST), (f.ARP_TPA, address))
    actions = (
        Move(f.ETH_SRC, f.ETH_DST, 48),
        SetField(f.ETH_SRC, view.mac),
        SetField(f.ARP_OP, _REPLY),
        Move(f.ARP_SHA, f.ARP_THA, 48),
        Move(f.ARP_SPA, f.ARP_TPA, 32),
        SetField(f.ARP_SHA, view.mac),
        SetField(f.ARP_SPA, address),
        Output(IN_PORT_NUMBER),
    )
    return Flow(Table.NEIGHBOUR, priorities.NORMAL, wanted, actions, None, because)


def _begin_advertisement(view: SwitchView, party: int, address: int, because: str) -> Flow:
    wanted = match(
        (f.PARTY, party),
        (f.ETH_TYPE, EthType.IPV6),
        (f.IP_PROTO, IpProto.ICMPV6),
        (f.ICMPV6_TYPE, _SOLICITATION),
        (f.ND_TARGET, address),
    )
    actions = (
        Move(f.ETH_SRC, f.ETH_DST, 48),
        SetField(f.ETH_SRC, view.mac),
        Move(f.IPV6_SRC, f.IPV6_DST, 128),
        SetField(f.IPV6_SRC, address),
        SetField(f.ICMPV6_TYPE, _ADVERTISEMENT),
    )
    return Flow(Table.NEIGHBOUR, priorities.NORMAL, wanted, actions, Table.ADVERTISE, because)


def _complete_advertisement(view: SwitchView, address: int, because: str) -> Flow:
    wanted = match(
        (f.ETH_TYPE, EthType.IPV6),
        (f.IP_PROTO, IpProto.ICMPV6),
        (f.ICMPV6_TYPE, _ADVERTISEMENT),
        (f.ND_TARGET, address),
    )
    actions = (
        SetField(f.ND_RESERVED, _ROUTER_SOLICITED_OVERRIDE),
        SetField(f.ND_OPTIONS_TYPE, _TARGET_LINK_LAYER_ADDRESS),
        SetField(f.ND_TLL, view.mac),
        Output(IN_PORT_NUMBER),
    )
    return Flow(Table.ADVERTISE, priorities.NORMAL, wanted, actions, None, because)
