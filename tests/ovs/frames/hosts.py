"""Who is at the edge of a policy, and which addresses matter there: the cast of random traffic."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from common.wire.values import Address, Network
from controller.pipeline.fields import Role
from controller.policy.model import Attachment, MailMode, Policy, Pool, PoolKind, PortRef, Tenant
from tests.ovs.frames.network import LOCAL_PORT, STRANGE_PORT

_ROLES = {
    PoolKind.MAIL_PROXY: Role.GATEWAY,
    PoolKind.SCANNER: Role.GATEWAY,
    PoolKind.RESPONDER: Role.RESPONDER,
    PoolKind.DECOY: Role.DECOY,
    PoolKind.ANTIVIRUS: Role.ANTIVIRUS,
}
_STRANGE_MAC = "02:99:00:00:00:01"
_CLIENTS = ("198.51.100.10", "198.51.100.66", "198.51.100.200", "192.88.99.1", "8.8.8.8",
            "2001:db8:bb::10", "2001:db8:bb::66", "2a00::1")  # fmt: skip
SPECIAL = tuple(map(ip_address, (
    "0.0.0.0", "0.1.2.3", "10.0.0.5", "10.9.9.9", "100.64.9.9", "127.0.0.1", "169.254.7.7", "172.16.1.1",
    "192.0.0.8", "192.168.1.1", "198.18.0.1", "203.0.113.255", "224.0.0.1", "239.1.1.1", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::203.0.113.10", "::ffff:203.0.113.10", "64:ff9b::cb00:710a",
    "100::1", "2001::1", "2002:cb00:710a::1", "fc00::1", "fe80::1", "ff02::1", "ff02::1:ff00:10",
)))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Host:
    """A neighbour of the edge. `group`: the tenant (`tenants.acme`), pool or uplinks that it belongs to.

    `role` is None for a port that the policy does not name.
    """

    path: str
    group: str
    role: Role | None
    at: PortRef
    mac: str
    edge_mac: str  # of the switch that it is connected to
    addresses: tuple[Address, ...]  # under which it may be expected to speak

    @property
    def macs(self) -> tuple[str, str]:
        return self.mac, self.edge_mac


class Cast:
    """All hosts and addresses of a policy that random traffic uses."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._mac_by_switch = {switch.name: switch.mac for switch in policy.switches}
        self.clients = tuple(map(ip_address, _CLIENTS))
        self.hosts = tuple(self._hosts())
        self.strangers = tuple(self._strangers())
        self.everyone = (*self.hosts, *self.strangers)
        self.host_at = {host.at: host for host in self.everyone}
        self.servers = {each.name: tuple(each.mail.servers) for each in policy.tenants if each.mail}
        self.inside = {each.name: tuple(_inside(each)) for each in policy.tenants}
        self.first_stop = {
            each.name: each.mail.proxies if each.mail.mode is MailMode.PROXY else each.mail.scanners
            for each in policy.tenants
            if each.mail
        }
        self.addresses = tuple(dict.fromkeys(self._addresses()))

    def _strangers(self) -> Iterator[Host]:
        """Yield ports that the policy does not name: one that a cable may be in, and the switch's own one."""
        for switch in self.policy.switches:
            for number in (STRANGE_PORT, LOCAL_PORT):
                at = PortRef(switch.name, number)
                path = f"{switch.name}:another port"
                yield Host(path, "nobody", None, at, _STRANGE_MAC, switch.mac, self.clients[:1])

    def ports_of(self, switch: str) -> list[int]:
        """Return a switch's ports: to neighbours, to other switches, and the one that nobody names."""
        ports = [host.at.port for host in self.hosts if host.at.switch == switch]
        ends = [end for link in self.policy.links for end in (link.a, link.b)]
        return [*ports, *(end.port for end in ends if end.switch == switch), STRANGE_PORT]

    def of_pool(self, name: str) -> list[Host]:
        return [host for host in self.hosts if host.group == f"pools.{name}"]

    def of_tenant(self, name: str) -> list[Host]:
        return [host for host in self.hosts if host.group == f"tenants.{name}"]

    def of_role(self, role: Role) -> list[Host]:
        return [host for host in self.hosts if host.role is role]

    def pools_of(self, kind: PoolKind) -> list[Pool]:
        return [pool for pool in self.policy.pools if pool.kind is kind]

    def _hosts(self) -> Iterator[Host]:
        for uplink in self.policy.uplinks:
            yield self._router(uplink, f"uplinks.{uplink.name}", "uplinks", Role.BACKBONE, self.clients)
        for tenant in self.policy.tenants:
            group = f"tenants.{tenant.name}"
            for each in tenant.gateways:
                path = f"{group}.gateways.{each.name}"
                yield self._router(each, path, group, Role.TENANT, tuple(_inside(tenant)))
        for pool in self.policy.pools:
            for member in pool.members:
                path, gate = f"pools.{pool.name}.members.{member.name}", self._mac_by_switch[member.at.switch]
                speaks_as = (*member.addresses, *pool.vip)
                role = _ROLES[pool.kind]
                yield Host(path, f"pools.{pool.name}", role, member.at, member.mac, gate, speaks_as)

    def _router(
        self, each: Attachment, path: str, group: str, role: Role, addresses: tuple[Address, ...]
    ) -> Host:
        return Host(path, group, role, each.at, each.mac, self._mac_by_switch[each.at.switch], addresses)

    def _addresses(self) -> Iterator[Address]:
        yield from self.clients
        for inside in self.inside.values():
            yield from inside
        for tenant in self.policy.tenants:
            if tenant.antivirus:
                yield from tenant.antivirus.addresses
        for pool in self.policy.pools:
            yield from (*pool.vip, *pool.edge, *(a for member in pool.members for a in member.addresses))
        for each in (*self.policy.uplinks, *(g for tenant in self.policy.tenants for g in tenant.gateways)):
            yield from each.edge


def _inside(tenant: Tenant) -> Iterator[Address]:
    """Yield a tenant's servers, other addresses of its prefixes, and clients with private addresses."""
    yield from tenant.mail.servers if tenant.mail else ()
    for service in tenant.services:
        yield from service.servers
    for prefix in tenant.prefixes:
        yield _address(prefix, 20)
        yield _address(prefix, 21)
    for prefix in tenant.antivirus.clients if tenant.antivirus else ():
        yield _address(prefix, 5)


def _address(prefix: Network, number: int) -> Address:
    return prefix[min(number, prefix.num_addresses - 1)]
