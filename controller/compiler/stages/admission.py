"""Table `admission`: who is on this port, and is the packet meant for the edge at all.

A flow for each neighbour: port, its MAC and the switch's own MAC as destination.
Role and party go into registers, and every later table relies on them.
"""

from collections.abc import Iterator

from controller.compiler.view import ETH_TYPES, SwitchView, mac_number
from controller.ids import party_id
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import EthType, IpProto, Role
from controller.pipeline.flows import Flow, Match, SetField, match
from controller.pipeline.tables import Table
from controller.policy.model import Attachment, Member

_SOLICITATION = 135  # RFC 4861, 4.3


def build_flows(view: SwitchView) -> Iterator[Flow]:
    for uplink in view.uplinks:
        because = f"uplinks.{uplink.name}"
        yield from _admit(view, uplink, Role.BACKBONE, party_id(because), because)
    for tenant, gateway in view.tenant_gateways:
        party = party_id(f"tenants.{tenant.name}")
        yield from _admit(view, gateway, Role.TENANT, party, f"tenants.{tenant.name}.gateways.{gateway.name}")
    for pool, member in view.gateway_members:
        party = party_id(f"pools.{pool.name}")
        yield from _admit(view, member, Role.GATEWAY, party, f"pools.{pool.name}.members.{member.name}")


def _admit(
    view: SwitchView, neighbour: Attachment | Member, role: Role, party: int, because: str
) -> Iterator[Flow]:
    known = ((f.IN_PORT, neighbour.at.port), (f.ETH_SRC, mac_number(neighbour.mac)))
    registers = (SetField(f.ROLE, role), SetField(f.PARTY, party))

    def flow(band: int, wanted: Match, goto: Table) -> Flow:
        return Flow(Table.ADMISSION, band, wanted, registers, goto, because)

    # Neighbour solicitations come before the general IPv6 flow and go to a multicast MAC.
    yield flow(priorities.HIGH, match(*known, (f.ETH_TYPE, EthType.ARP)), Table.NEIGHBOUR)
    solicitation = match(
        *known,
        (f.ETH_TYPE, EthType.IPV6),
        (f.IP_PROTO, IpProto.ICMPV6),
        (f.ICMPV6_TYPE, _SOLICITATION),
    )
    yield flow(priorities.HIGH, solicitation, Table.NEIGHBOUR)
    for eth_type in ETH_TYPES:
        wanted = match(*known, (f.ETH_DST, view.mac), (f.ETH_TYPE, eth_type))
        yield flow(priorities.NORMAL, wanted, Table.SOURCE)
