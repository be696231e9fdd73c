"""What every stage sees: the policy, indexed once, from the seat of one switch.

Owns look-ups that several stages need. Decides nothing about flows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, ip_network

from controller.compiler.conditions import ALL_IS_WELL, Conditions
from controller.pipeline import fields as f
from controller.pipeline.fields import EthType, Field, IpProto
from controller.policy.model import (
    Address,
    Attachment,
    Mail,
    MailMode,
    Member,
    Network,
    Policy,
    Pool,
    PoolKind,
    Switch,
    Tenant,
)

SMTP_PORT = 25
GATEWAY_KINDS = frozenset({PoolKind.MAIL_PROXY, PoolKind.SCANNER})


@dataclass(frozen=True)
class SwitchView:
    """The policy as one switch has to carry it out."""

    policy: Policy
    switch: Switch
    conditions: Conditions = ALL_IS_WELL

    @property
    def mac(self) -> int:
        return mac_number(self.switch.mac)

    @cached_property
    def pool_by_name(self) -> dict[str, Pool]:
        return {pool.name: pool for pool in self.policy.pools}

    @cached_property
    def mail_tenants(self) -> tuple[tuple[Tenant, Mail], ...]:
        return tuple((tenant, tenant.mail) for tenant in self.policy.tenants if tenant.mail)

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
        """Members here of pools whose hosts run the mail gateway."""
        for pool in self.policy.pools:
            if pool.kind in GATEWAY_KINDS:
                for member in pool.members:
                    if self.is_here(member):
                        yield pool, member

    @property
    def neighbours(self) -> Iterator[tuple[int, str]]:
        """MAC and policy path of everybody on an edge port of this switch."""
        for uplink in self.uplinks:
            yield mac_number(uplink.mac), f"uplinks.{uplink.name}"
        for tenant, gateway in self.tenant_gateways:
            yield mac_number(gateway.mac), f"tenants.{tenant.name}"
        for pool, member in self.gateway_members:
            yield mac_number(member.mac), f"pools.{pool.name}.members.{member.name}"

    def is_here(self, neighbour: Attachment | Member) -> bool:
        return neighbour.at.switch == self.switch.name

    def share(self, pool: Pool, member: Member) -> int:
        """Return a member's part of the pool's new sessions; 0: it gets none."""
        return self.conditions.shares.get(f"pools.{pool.name}.members.{member.name}", member.weight)

    def first_stop(self, mail: Mail) -> Pool:
        """Return the pool that the switch hands a tenant's mail to."""
        return self.pool_by_name[mail.proxies if mail.mode is MailMode.PROXY else mail.scanners]

    def scanners_asked_by(self, pool: Pool) -> tuple[Pool, ...]:
        """Return the scanner pools that a pool of proxies may reach: all, in the policy's order.

        Not only those that some tenant's rules name today: a session that is open while
        its tenant changes mode still has its message scanned.
        """
        if pool.kind is not PoolKind.MAIL_PROXY:
            return ()
        return tuple(other for other in self.policy.pools if other.kind is PoolKind.SCANNER)


def mac_number(mac: str) -> int:
    return int(mac.replace(":", ""), 16)


def eth_type_of(thing: Address | Network) -> tuple[Field, int]:
    return f.ETH_TYPE, EthType.IPV4 if thing.version == 4 else EthType.IPV6


def _exactly(thing: Address | Network) -> Network:
    return ip_network(thing)


def source_is(thing: Address | Network) -> tuple[tuple[Field, int], tuple[Field, int, int]]:
    """Match an address or prefix as the packet's source."""
    network = _exactly(thing)
    field = f.IPV4_SRC if isinstance(network, IPv4Network) else f.IPV6_SRC
    return eth_type_of(network), (field, int(network.network_address), int(network.netmask))


def destination_is(thing: Address | Network) -> tuple[tuple[Field, int], tuple[Field, int, int]]:
    """Match an address or prefix as the packet's destination."""
    network = _exactly(thing)
    field = f.IPV4_DST if isinstance(network, IPv4Network) else f.IPV6_DST
    return eth_type_of(network), (field, int(network.network_address), int(network.netmask))


def tcp_to(port: int) -> tuple[tuple[Field, int], tuple[Field, int]]:
    return (f.IP_PROTO, IpProto.TCP), (f.TCP_DST, port)


def tcp_from(port: int) -> tuple[tuple[Field, int], tuple[Field, int]]:
    return (f.IP_PROTO, IpProto.TCP), (f.TCP_SRC, port)


ETH_TYPES = (EthType.IPV4, EthType.IPV6)
