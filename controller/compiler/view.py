"""What every stage sees: the policy, indexed once, from the view of one switch.

Has the look-ups that several stages need. Decides nothing about flows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network

from controller.compiler.antivirus_clients import Scanner, Translated, asking_scanners, translated
from controller.compiler.mail_path import ToPool, ToResponder, Way, first_stop, way_of
from controller.compiler.neighbours import ROLE_BY_KIND, Neighbour, neighbours_of
from controller.compiler.network_state import ALL_IS_WELL, Conditions
from controller.ids import tenant_meters
from controller.pipeline import fields as f
from controller.pipeline.fields import EthType, Field, IpProto, Zone
from controller.pipeline.zones import client_zones, zone_number
from controller.policy.limits import limits_of
from controller.policy.model import (
    Address,
    Attachment,
    Dark,
    Mail,
    Member,
    Network,
    OnEmpty,
    Policy,
    Pool,
    PoolKind,
    PortRef,
    Switch,
    Tenant,
)
from controller.topology.fabric import Fabric
from controller.topology.homes import decoys_of
from controller.topology.ports import mac_number

SMTP_PORT = 25


@dataclass(frozen=True)
class PolicyView:
    """The policy as a whole, under the present conditions."""

    policy: Policy
    conditions: Conditions = ALL_IS_WELL

    @cached_property
    def fabric(self) -> Fabric:
        return Fabric(self.policy, self.conditions.broken)

    @cached_property
    def neighbours(self) -> tuple[Neighbour, ...]:
        return tuple(neighbours_of(self.policy))

    @cached_property
    def pool_by_name(self) -> dict[str, Pool]:
        return {pool.name: pool for pool in self.policy.pools}

    @cached_property
    def mac_by_switch(self) -> dict[str, int]:
        return {switch.name: mac_number(switch.mac) for switch in self.policy.switches}

    @cached_property
    def client_zones(self) -> Mapping[str, int]:
        """Return the conntrack zone of each tenant's clients of anti-virus servers."""
        return client_zones(tenant.name for tenant in self.policy.tenants if tenant.antivirus)

    @cached_property
    def tenant_meters(self) -> dict[str, int]:
        """Return the meters of tenants that have a limit on new connections, by rule."""
        return tenant_meters(limit.rule for limit in limits_of(self.policy))

    @cached_property
    def own_addresses(self) -> dict[Address, str]:
        """Every address of the edge itself and of its hosts, and the rule that gives it."""
        own: dict[Address, str] = {}
        for pool in self.policy.pools:
            for address in (*pool.edge, *pool.vip):
                own.setdefault(address, f"pools.{pool.name}")
            for member in pool.members:
                for address in member.addresses:
                    own.setdefault(address, f"pools.{pool.name}.members.{member.name}")
        for tenant in self.policy.tenants:
            for address in tenant.antivirus.addresses if tenant.antivirus else ():
                own.setdefault(address, f"tenants.{tenant.name}.antivirus.as.{address}")
        routers = [(f"uplinks.{uplink.name}", uplink) for uplink in self.policy.uplinks]
        for tenant in self.policy.tenants:
            routers += [(f"tenants.{tenant.name}.gateways.{each.name}", each) for each in tenant.gateways]
        for path, router in routers:
            for address in router.edge:
                own.setdefault(address, f"{path}.edge.{address}")
        return own


@dataclass(frozen=True)
class SwitchView:
    """The policy from the view of one switch."""

    whole: PolicyView
    switch: Switch

    @property
    def policy(self) -> Policy:
        return self.whole.policy

    @property
    def mac(self) -> int:
        return self.whole.mac_by_switch[self.switch.name]

    def zone(self, leg: Zone) -> int:
        return zone_number(self.switch.dpid, leg)

    @cached_property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """The neighbours on edge ports of this switch."""
        return tuple(each for each in self.whole.neighbours if each.at.switch == self.switch.name)

    @property
    def visitors(self) -> tuple[Neighbour, ...]:
        """The neighbours whose packets may arrive here over a trunk."""
        is_wanted = self.policy.links and (self.tenants or any(self.gateway_members))
        return self.whole.neighbours if is_wanted else ()

    @cached_property
    def tenants(self) -> tuple[Tenant, ...]:
        """The tenants whose connections this switch tracks."""
        return tuple(tenant for tenant in self.policy.tenants if tenant.home == self.switch.name)

    @cached_property
    def tenants_elsewhere(self) -> tuple[tuple[Tenant, int], ...]:
        """The other tenants, each with the MAC of its home."""
        macs = self.whole.mac_by_switch
        return tuple((each, macs[each.home]) for each in self.policy.tenants if each.home != self.switch.name)

    @cached_property
    def mail_tenants(self) -> tuple[tuple[Tenant, Mail], ...]:
        """The tenants with mail whose home is here."""
        return tuple((tenant, tenant.mail) for tenant in self.tenants if tenant.mail)

    @cached_property
    def translated(self) -> tuple[Translated, ...]:
        """The translated clients of anti-virus servers, of tenants whose home is here."""
        return tuple(each for tenant in self.tenants for each in translated(self.policy, tenant))

    @cached_property
    def asking_scanners(self) -> tuple[Scanner, ...]:
        """The scanners here that may use anti-virus servers."""
        return tuple(each for each in asking_scanners(self.policy) if self.is_here(each.member))

    @cached_property
    def sticky_pools(self) -> tuple[Pool, ...]:
        """The pools with affinity that get mail of tenants whose home is here."""
        ways = (self.way_of(mail) for _, mail in self.mail_tenants)
        pools = [way.pool for way in ways if isinstance(way, ToPool)]
        return tuple(dict.fromkeys(pool for pool in pools if pool.affinity_s))

    @cached_property
    def has_lures(self) -> bool:
        """Return whether decoys answer at unpublished addresses of a tenant whose home is here."""
        return any(each.dark is Dark.DECOY and self.decoys_of(each) for each in self.tenants)

    @property
    def uplinks(self) -> Iterator[Attachment]:
        return (uplink for uplink in self.policy.uplinks if self.is_here(uplink))

    @property
    def tenant_gateways(self) -> Iterator[tuple[Tenant, Attachment]]:
        for tenant in self.policy.tenants:
            for gateway in tenant.gateways:
                if self.is_here(gateway):
                    yield tenant, gateway

    @property
    def gateway_members(self) -> Iterator[tuple[Pool, Member]]:
        """The members here of pools whose hosts answer for tenants' addresses."""
        for pool in self.policy.pools:
            if pool.kind in ROLE_BY_KIND:
                for member in pool.members:
                    if self.is_here(member):
                        yield pool, member

    def has(self, kind: PoolKind) -> bool:
        """Return whether packets of a pool of this kind may arrive here."""
        return any(pool.kind is kind for pool in self.policy.pools)

    def decoys_of(self, tenant: Tenant) -> Pool | None:
        """Return the decoys that stand in for a tenant's hosts, if any takes new connections."""
        pool = decoys_of(self.policy, tenant)
        return pool if pool and self.takes(pool) else None

    @property
    def gateway_pools(self) -> tuple[Pool, ...]:
        """Pools that have a gateway host here."""
        return tuple(dict.fromkeys(pool for pool, _ in self.gateway_members))

    def is_here(self, neighbour: Attachment | Member) -> bool:
        return neighbour.at.switch == self.switch.name

    def watched_port(self, neighbour: Attachment | Member) -> int:
        """Return the port that must be up for a neighbour to stay in a group; 0: it is on another switch."""
        return neighbour.at.port if self.is_here(neighbour) else 0

    def can_reach(self, at: PortRef) -> bool:
        """Return whether a port is up, and there is a path to its switch."""
        whole = self.whole
        return at not in whole.conditions.broken and whole.fabric.is_reachable(self.switch.name, at.switch)

    def stand_in(self, neighbour: Neighbour) -> Neighbour:
        """Return the neighbour that gets the packets: itself or, while it is unreachable, one of its kin."""
        if not neighbour.kin or self.can_reach(neighbour.at):
            return neighbour
        for other in self.whole.neighbours:
            is_able = other.kin == neighbour.kin and other.families >= neighbour.families
            if is_able and self.can_reach(other.at):
                return other
        return neighbour

    def able(self, attachments: tuple[Attachment, ...], version: int) -> list[Attachment]:
        """Return the attachments with a family, without unreachable ones unless all are."""
        speaking = [each for each in attachments if any(a.version == version for a in each.edge)]
        return [each for each in speaking if self.can_reach(each.at)] or speaking

    def share(self, pool: Pool, member: Member) -> int:
        """Return a member's share of the pool's new sessions; 0: it gets none, or is unreachable."""
        if not self.whole.fabric.is_reachable(self.switch.name, member.at.switch):
            return 0
        return self.whole.conditions.share(pool, member)

    def takes(self, pool: Pool) -> bool:
        """Return whether any reachable member takes new sessions."""
        return any(self.share(pool, member) for member in pool.members)

    def first_stop(self, mail: Mail) -> Pool:
        """Return the pool that the switch sends a tenant's mail to."""
        return first_stop(self.policy, mail)

    def way_of(self, mail: Mail) -> Way:
        """Return where new mail goes now. Dead trunks before a pool are not a reason to deliver unscanned."""
        way = way_of(self.policy, self.whole.conditions, mail)
        if not isinstance(way, ToPool) or self.takes(way.pool) or mail.on_empty is not OnEmpty.TEMPFAIL:
            return way
        responders = [pool for pool in self.policy.pools if pool.kind is PoolKind.RESPONDER]
        return next((ToResponder(pool) for pool in responders if self.takes(pool)), way)

    def scanners_asked_by(self, pool: Pool) -> tuple[Pool, ...]:
        """Return the scanner pools that a pool of proxies may reach: all, in the policy's order.

        Not only those that a tenant's rules name at present: a session that is open while
        its tenant changes mode still gets its message scanned.
        """
        if pool.kind is not PoolKind.MAIL_PROXY:
            return ()
        return tuple(other for other in self.policy.pools if other.kind is PoolKind.SCANNER)


def eth_type_of(thing: Address | Network) -> tuple[Field, int]:
    return f.ETH_TYPE, EthType.IPV4 if thing.version == 4 else EthType.IPV6


def _value_and_mask(thing: Address | Network) -> tuple[int, int]:
    """Return both as numbers. To make a network of each address would cost a tenth of a compilation."""
    if isinstance(thing, IPv4Network | IPv6Network):
        return int(thing.network_address), int(thing.netmask)
    return int(thing), (1 << thing.max_prefixlen) - 1


def source_is(thing: Address | Network) -> tuple[tuple[Field, int], tuple[Field, int, int]]:
    """Match an address or prefix as the packet's source."""
    field = f.IPV4_SRC if thing.version == 4 else f.IPV6_SRC
    return eth_type_of(thing), (field, *_value_and_mask(thing))


def destination_is(thing: Address | Network) -> tuple[tuple[Field, int], tuple[Field, int, int]]:
    """Match an address or prefix as the packet's destination."""
    field = f.IPV4_DST if thing.version == 4 else f.IPV6_DST
    return eth_type_of(thing), (field, *_value_and_mask(thing))


def tcp_to(port: int) -> tuple[tuple[Field, int], tuple[Field, int]]:
    return (f.IP_PROTO, IpProto.TCP), (f.TCP_DST, port)


def tcp_from(port: int) -> tuple[tuple[Field, int], tuple[Field, int]]:
    return (f.IP_PROTO, IpProto.TCP), (f.TCP_SRC, port)


# What a router says of a packet that is too large for its next link (RFC 792 with RFC 1191; RFC 4443, 3.2).
TOO_LARGE: dict[int, tuple[tuple[Field, int], ...]] = {
    EthType.IPV4: ((f.IP_PROTO, IpProto.ICMP), (f.ICMP_TYPE, 3), (f.ICMP_CODE, 4)),
    EthType.IPV6: ((f.IP_PROTO, IpProto.ICMPV6), (f.ICMPV6_TYPE, 2)),
}
ETH_TYPES = (EthType.IPV4, EthType.IPV6)
