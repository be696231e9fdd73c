"""Table `service`: a new connection goes to the pool or server that answers for its destination.

Only a gateway that serves a tenant can reach the tenant's port 25: not because a flow
forbids other traffic, but because no flow exists for it. The one exception is a tenant
that prefers unscanned mail to late mail while its pool is empty.
"""

from collections.abc import Iterator

from controller.compiler.bucket_weights import bucket_weights
from controller.compiler.fragments import (
    Criteria,
    new_first_fragment,
    new_fragments,
    new_later_fragments,
)
from controller.compiler.mail_path import ToPool, ToResponder, Unanswered, Unscanned, Way
from controller.compiler.view import (
    ETH_TYPES,
    SMTP_PORT,
    TOO_LARGE,
    SwitchView,
    destination_is,
    tcp_from,
    tcp_to,
)
from controller.ids import group_id, party_id
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import EthType, Field, IpProto, Role, Treatment, Zone
from controller.pipeline.flows import (
    Bucket,
    Clone,
    Flow,
    Group,
    Match,
    Resubmit,
    SetField,
    ToGroup,
    match,
)
from controller.pipeline.tables import Table
from controller.policy.model import Address, Dark, Mail, Pool, Protocol, Service, Tenant
from controller.topology.ports import mac_number

_OUTSIDE = (f.ZONE, Zone.OUTSIDE)
_COPY = Clone((Resubmit(Table.SAMPLE),))


def build_flows(view: SwitchView) -> Iterator[Flow]:
    for tenant, mail in view.mail_tenants:
        yield from _mail(view, tenant, mail)
    for tenant in view.tenants:
        yield from _published(tenant)
        yield from _dark(view, tenant)
        yield from _suspicious(view, tenant)
    yield from _scanning(view)
    yield from _updating(view)
    if view.tenants:
        yield from _outbound(view)


def build_groups(view: SwitchView) -> Iterator[Group]:
    """Yield a select group for each pool that a flow of this table leads to."""
    ways = [view.way_of(mail) for _, mail in view.mail_tenants]
    wanted = {way.pool.name for way in ways if isinstance(way, ToPool | ToResponder)}
    wanted |= {pool.name for asking in view.gateway_pools for pool in view.scanners_asked_by(asking)}
    wanted |= {each.pool.name for each in view.translated}
    wanted |= {each.pool.name for each in view.asking_scanners}
    wanted |= {pool.name for tenant in view.tenants if (pool := view.decoys_of(tenant))}
    for name in sorted(wanted):
        yield _group(view, view.whole.pool_by_name[name])


def _group(view: SwitchView, pool: Pool) -> Group:
    """Return a bucket for each member that takes new sessions; sessions of others follow their labels."""
    then = Table.REMEMBER if pool in view.sticky_pools else Table.COMMIT
    members = [member for member in pool.members if view.share(pool, member)]
    weights = bucket_weights([view.share(pool, member) for member in members])
    buckets = tuple(
        Bucket(
            weight,
            (SetField(f.ETH_DST, mac_number(members[index].mac)), Resubmit(then)),
            watch_port=view.watched_port(members[index]),
        )
        for index, weight in weights
    )
    return Group(group_id(pool.name), buckets, f"pools.{pool.name}")


def _mail(view: SwitchView, tenant: Tenant, mail: Mail) -> Iterator[Flow]:
    pool = view.first_stop(mail)
    for server in mail.servers:
        because = f"tenants.{tenant.name}.mail.servers.{server}"
        smtp = (*destination_is(server), *tcp_to(SMTP_PORT))
        yield _new_mail(view.way_of(mail), tenant, match(_OUTSIDE, *smtp), because)
        party = (f.PARTY, party_id(f"pools.{pool.name}"))
        relay = match((f.ROLE, Role.GATEWAY), party, (f.ZONE, Zone.RELAY), *smtp)
        yield Flow(Table.SERVICE, priorities.HIGH, relay, (), Table.ROUTE, because)


def _new_mail(way: Way, tenant: Tenant, wanted: Match, because: str) -> Flow:
    """While the first stop takes no sessions, the flow comes from the tenant's own choice, and names it."""
    chosen = f"tenants.{tenant.name}.mail.on_empty"
    match way:
        case ToPool(pool):
            return (_by_affinity if pool.affinity_s else _to_pool)(wanted, pool, because)
        case ToResponder(pool):
            return _to_pool(wanted, pool, chosen)
        case Unscanned():
            return Flow(Table.SERVICE, priorities.HIGH, wanted, (), Table.ROUTE, chosen)
        case Unanswered():
            return Flow(Table.SERVICE, priorities.HIGH, wanted, (), None, chosen)


def _to_pool(wanted: Match, pool: Pool, because: str) -> Flow:
    return Flow(Table.SERVICE, priorities.HIGH, wanted, (ToGroup(group_id(pool.name)),), None, because)


def _by_affinity(wanted: Match, pool: Pool, because: str) -> Flow:
    """Return the flow to the pool, which first looks up the client's last member."""
    actions = (SetField(f.POOL, party_id(f"pools.{pool.name}")), Resubmit(Table.RECALL))
    return Flow(Table.SERVICE, priorities.HIGH, wanted, actions, Table.AFFINITY, because)


def _published(tenant: Tenant) -> Iterator[Flow]:
    for service in tenant.services:
        because = f"tenants.{tenant.name}.services.{service.name}"
        for server in service.servers:
            for layer4 in _layer4(service, server):
                wanted = match(_OUTSIDE, *destination_is(server), *layer4)
                yield Flow(Table.SERVICE, priorities.HIGH, wanted, (), Table.ROUTE, because)
            for band, fragment, goto in _fragments(service, server):
                wanted = match(_OUTSIDE, *destination_is(server), *fragment)
                yield Flow(Table.SERVICE, band, wanted, (), goto, because)


def _layer4(service: Service, server: Address) -> Iterator[tuple[tuple[Field, int], ...]]:
    protocol = _protocol_number(service, server)
    if service.protocol is Protocol.ICMP:
        yield ((f.IP_PROTO, protocol),)
        return
    field = f.TCP_DST if service.protocol is Protocol.TCP else f.UDP_DST
    for port in service.ports:
        yield (f.IP_PROTO, protocol), (field, port)


def _fragments(service: Service, server: Address) -> Iterator[tuple[int, Criteria, Table | None]]:
    """Yield band, match and next table for fragments of a packet that begins a connection.

    Only the first one has a port. If that is not published, it is dropped: then the packet is never whole
    where it would be committed, so the others, which pass, open nothing.
    """
    protocol = _protocol_number(service, server)
    if service.protocol is Protocol.UDP:
        for port in service.ports:
            yield priorities.FRAGMENTS, new_first_fragment(protocol, port), Table.ROUTE
        yield priorities.OTHER_FRAGMENTS, new_first_fragment(protocol), None
    # In IPv4, all fragments show their protocol.
    if service.protocol is Protocol.UDP or (service.protocol is Protocol.ICMP and server.version == 6):
        yield priorities.FRAGMENTS, new_later_fragments(protocol), Table.ROUTE


def _protocol_number(service: Service, server: Address) -> IpProto:
    if service.protocol is Protocol.ICMP:
        return IpProto.ICMP if server.version == 4 else IpProto.ICMPV6
    return IpProto.TCP if service.protocol is Protocol.TCP else IpProto.UDP


def _dark(view: SwitchView, tenant: Tenant) -> Iterator[Flow]:
    """Where nothing is published, a decoy answers; the controller gets a metered copy as evidence."""
    decoys = view.decoys_of(tenant) if tenant.dark is Dark.DECOY else None
    lure = (_COPY, ToGroup(group_id(decoys.name))) if decoys else ()
    for prefix in tenant.prefixes:
        wanted = match(_OUTSIDE, *destination_is(prefix))
        because = f"tenants.{tenant.name}.prefixes.{prefix}"
        yield Flow(Table.SERVICE, priorities.NORMAL, wanted, lure, None, because)


def _suspicious(view: SwitchView, tenant: Tenant) -> Iterator[Flow]:
    """A source that a decision sends to decoys reaches them at all of the tenant's addresses, or nothing."""
    decoys = view.decoys_of(tenant)
    lure = (ToGroup(group_id(decoys.name)),) if decoys else ()
    for prefix in tenant.prefixes:
        wanted = match(_OUTSIDE, (f.TREATMENT, Treatment.DECOY), *destination_is(prefix))
        because = f"tenants.{tenant.name}.prefixes.{prefix}"
        yield Flow(Table.SERVICE, priorities.SUSPECT, wanted, lure, None, because)


def _scanning(view: SwitchView) -> Iterator[Flow]:
    for asking in view.gateway_pools:
        party = (f.PARTY, party_id(f"pools.{asking.name}"))
        for pool in view.scanners_asked_by(asking):
            for vip in pool.vip:
                wanted = match(
                    (f.ROLE, Role.GATEWAY),
                    party,
                    (f.ZONE, Zone.SCAN),
                    *destination_is(vip),
                    *tcp_to(pool.port),
                )
                yield _to_pool(wanted, pool, f"pools.{pool.name}.vip.{vip}")


def _updating(view: SwitchView) -> Iterator[Flow]:
    """Intranets and scanners reach the anti-virus servers at one port of one address."""
    for eth_type in ETH_TYPES if view.translated else ():
        yield _never_from_smtp(Zone.CLIENT, eth_type, "tenants")
    for each in view.translated:
        asking = (
            (f.ROLE, Role.TENANT),
            (f.PARTY, party_id(f"tenants.{each.tenant.name}")),
            (f.ZONE, Zone.CLIENT),
        )
        wanted = match(*asking, *destination_is(each.vip), *tcp_to(each.pool.port))
        yield _to_pool(wanted, each.pool, each.path)
    for scanner in view.asking_scanners:
        party = party_id(f"pools.{scanner.scanners.name}")
        asking = ((f.ROLE, Role.GATEWAY), (f.PARTY, party), (f.ZONE, Zone.UPDATE))
        wanted = match(*asking, *destination_is(scanner.vip), *tcp_to(scanner.pool.port))
        yield _to_pool(wanted, scanner.pool, f"pools.{scanner.pool.name}.vip.{scanner.vip}")


def _outbound(view: SwitchView) -> Iterator[Flow]:
    """Tenants can reach the backbone, but not the edge's own hosts and addresses."""
    for address, because in view.whole.own_addresses.items():
        wanted = match(_OUTSIDE, *destination_is(address))
        yield Flow(Table.SERVICE, priorities.NORMAL, wanted, (), None, because)
    for eth_type in ETH_TYPES:
        # `source` lets it pass from more addresses than other packets: only a known connection may have it.
        stray = match(_OUTSIDE, (f.ETH_TYPE, eth_type), *TOO_LARGE[eth_type])
        yield Flow(Table.SERVICE, priorities.DENY, stray, (), None, "policy")
        yield _never_from_smtp(Zone.OUTSIDE, eth_type, "tenants")
        # Nobody splits the first segment of a connection, except to hide its ports.
        split = match(_OUTSIDE, (f.ETH_TYPE, eth_type), *new_fragments(IpProto.TCP))
        yield Flow(Table.SERVICE, priorities.DENY, split, (), None, "policy")
        wanted = match((f.ROLE, Role.TENANT), _OUTSIDE, (f.ETH_TYPE, eth_type))
        yield Flow(Table.SERVICE, priorities.LOW, wanted, (), Table.ROUTE, "tenants")


def _never_from_smtp(zone: Zone, eth_type: EthType, because: str) -> Flow:
    """Return the flow that drops connections which a tenant begins from port 25.

    The answers would reach that port without a gateway. The rest of a relay session that the switch has
    forgotten is dropped with them.
    """
    wanted = match((f.ROLE, Role.TENANT), (f.ZONE, zone), (f.ETH_TYPE, eth_type), *tcp_from(SMTP_PORT))
    return Flow(Table.SERVICE, priorities.DENY, wanted, (), None, because)
