"""Table `track`: determines the leg of a packet, and looks its connection up in conntrack.

The leg is a conntrack zone. It is chosen by role and port, never by the server's
address: a session must still be found after its server was removed from the policy.
Packets from port 25 of a tenant may belong to the relay leg or to an outside
connection; the relay leg is looked up first, and `resume` falls back. So it is with
fragments from a tenant, which have no ports here. Fragments from gateways and responders
match nothing: these hosts are connected directly and speak TCP, which fits its segments
to the link.
"""

from collections.abc import Iterator

from controller.compiler.fragments import IS_FRAGMENT
from controller.compiler.view import (
    ETH_TYPES,
    SMTP_PORT,
    SwitchView,
    destination_is,
    source_is,
    tcp_from,
    tcp_to,
)
from controller.ids import party_id
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import EthType, IpProto, Role, Zone
from controller.pipeline.flows import Flow, LookUpConnection, Match, SetField, match
from controller.pipeline.tables import Table
from controller.policy.model import Pool, PoolKind

_ICMP = {EthType.IPV4: IpProto.ICMP, EthType.IPV6: IpProto.ICMPV6}


def build_flows(view: SwitchView) -> Iterator[Flow]:
    def look_up(band: int, wanted: Match, leg: Zone, because: str) -> Flow:
        actions = (SetField(f.ZONE, leg), LookUpConnection(view.zone(leg), Table.RESUME))
        return Flow(Table.TRACK, band, wanted, actions, None, because)

    for eth_type in ETH_TYPES:
        for role, because in ((Role.BACKBONE, "uplinks"), (Role.TENANT, "tenants")):
            wanted = match((f.ROLE, role), (f.ETH_TYPE, eth_type))
            yield look_up(priorities.LOW, wanted, Zone.OUTSIDE, because)
        icmp = match((f.ROLE, Role.TENANT), (f.ETH_TYPE, eth_type), (f.IP_PROTO, _ICMP[eth_type]))
        yield look_up(priorities.NORMAL, icmp, Zone.RELAY, "tenants")
        from_server = match((f.ROLE, Role.TENANT), (f.ETH_TYPE, eth_type), *tcp_from(SMTP_PORT))
        yield look_up(priorities.NORMAL, from_server, Zone.RELAY, "tenants")
        fragment = match((f.ROLE, Role.TENANT), (f.ETH_TYPE, eth_type), IS_FRAGMENT)
        yield look_up(priorities.NORMAL, fragment, Zone.RELAY, "tenants")
        to_server = match((f.ROLE, Role.GATEWAY), (f.ETH_TYPE, eth_type), *tcp_to(SMTP_PORT))
        yield look_up(priorities.LOW, to_server, Zone.RELAY, "pools")
        to_client = match((f.ROLE, Role.GATEWAY), (f.ETH_TYPE, eth_type), *tcp_from(SMTP_PORT))
        yield look_up(priorities.NORMAL, to_client, Zone.OUTSIDE, "pools")
        if view.has(PoolKind.DECOY):
            answer = match((f.ROLE, Role.DECOY), (f.ETH_TYPE, eth_type))
            yield look_up(priorities.LOW, answer, Zone.OUTSIDE, "pools")
        if view.has(PoolKind.RESPONDER):
            # The only packets that a responder may send: replies, under a tenant's address.
            answer = match((f.ROLE, Role.RESPONDER), (f.ETH_TYPE, eth_type), *tcp_from(SMTP_PORT))
            yield look_up(priorities.NORMAL, answer, Zone.OUTSIDE, "pools")
    yield from _client_legs(view)
    if view.has(PoolKind.ANTIVIRUS):
        yield from _update_legs(view)
    for pool in view.policy.pools:
        if pool.kind is PoolKind.SCANNER:
            for wanted, band, because in _scan_legs(pool):
                yield look_up(band, wanted, Zone.SCAN, because)


def _client_legs(view: SwitchView) -> Iterator[Flow]:
    """A tenant's clients and anti-virus servers: both directions are in the tenant's own zone."""
    for each in view.translated:
        zone = view.whole.client_zones[each.tenant.name]
        actions = (SetField(f.ZONE, Zone.CLIENT), LookUpConnection(zone, Table.RESUME, translates=True))
        party = party_id(f"tenants.{each.tenant.name}")
        there = match((f.ROLE, Role.TENANT), (f.PARTY, party), *destination_is(each.vip))
        yield Flow(
            Table.TRACK, priorities.HIGH, there, actions, None, f"pools.{each.pool.name}.vip.{each.vip}"
        )
        back = match((f.ROLE, Role.ANTIVIRUS), *destination_is(each.seen_as))
        yield Flow(Table.TRACK, priorities.HIGH, back, actions, None, f"{each.path}.as.{each.seen_as}")


def _update_legs(view: SwitchView) -> Iterator[Flow]:
    """Scanners use anti-virus servers under their own address."""
    actions = (SetField(f.ZONE, Zone.UPDATE), LookUpConnection(view.zone(Zone.UPDATE), Table.RESUME))
    for pool, vip in dict.fromkeys((each.pool, each.vip) for each in view.asking_scanners):
        there = match((f.ROLE, Role.GATEWAY), *destination_is(vip), *tcp_to(pool.port))
        yield Flow(Table.TRACK, priorities.HIGH, there, actions, None, f"pools.{pool.name}.vip.{vip}")
    for eth_type in ETH_TYPES:
        back = match((f.ROLE, Role.ANTIVIRUS), (f.ETH_TYPE, eth_type))
        yield Flow(Table.TRACK, priorities.LOW, back, actions, None, "pools")


def _scan_legs(pool: Pool) -> Iterator[tuple[Match, int, str]]:
    for vip in pool.vip:
        because = f"pools.{pool.name}.vip.{vip}"
        there = match((f.ROLE, Role.GATEWAY), *destination_is(vip), *tcp_to(pool.port))
        yield there, priorities.HIGH, because
        back = match((f.ROLE, Role.GATEWAY), *source_is(vip), *tcp_from(pool.port))
        # Before the gateways' replies from port 25, which a policy may also use for scanners.
        yield back, priorities.RAISED, because
