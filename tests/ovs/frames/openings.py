"""First packets of every kind of session that a policy knows, with random parts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from common.wire.values import Address
from controller.pipeline.fields import IpProto, Role
from controller.policy.model import PoolKind, Protocol, Tenant
from tests.ovs.frames.craft import ICMP_OF, Tuple5
from tests.ovs.frames.hosts import Cast, Host

PORTS = (22, 23, 25, 53, 80, 443, 3310, 5353, 8080)
ECHO = {4: 0x0800, 6: 0x8000}
_Item = TypeVar("_Item")
_PROTOCOLS = {Protocol.TCP: IpProto.TCP, Protocol.UDP: IpProto.UDP}


@dataclass(frozen=True, slots=True)
class Opening:
    host: Host
    tuple5: Tuple5


class Openings:
    """A source of first packets. All that is random comes from the generator that it is given."""

    def __init__(self, chance: Random, cast: Cast) -> None:
        self._chance = chance
        self._cast = cast
        self._kinds: tuple[tuple[int, Callable[[], Opening | None]], ...] = (
            (3, self._mail),
            (3, self._relay),
            (2, self._scan),
            (1, self._update),
            (2, self._antivirus_client),
            (3, self._service),
            (3, self._dark),
            (4, self._outward),
            (2, self._between_tenants),
        )

    def draw(self) -> Opening:
        """Return one first packet; kinds that the policy does not know are drawn again."""
        weights = [weight for weight, _ in self._kinds]
        while True:
            ((_, kind),) = self._chance.choices(self._kinds, weights)
            if opening := kind():
                return opening

    def _pick(self, items: tuple[_Item, ...] | list[_Item]) -> _Item | None:
        return self._chance.choice(items) if items else None

    def _high_port(self) -> int:
        return self._chance.choice(
            (self._chance.randrange(1024, 65536), self._chance.randrange(40_000, 40_004))
        )

    def like(self, addresses: tuple[Address, ...], other: Address) -> Address | None:
        """Return one of the addresses of the other's IP version."""
        return self._pick([each for each in addresses if each.version == other.version])

    def _tcp(self, host: Host | None, source: Address | None, target: Address, port: int) -> Opening | None:
        if host is None or source is None:
            return None
        return Opening(host, Tuple5(IpProto.TCP, source, target, self._high_port(), port))

    def _mail_server(self) -> tuple[str, Address] | None:
        servers = [(name, each) for name, servers in self._cast.servers.items() for each in servers]
        return self._pick(servers)

    def _mail(self) -> Opening | None:
        if found := self._mail_server():
            client = self.like(self._cast.clients, found[1])
            return self._tcp(self._pick(self._cast.of_role(Role.BACKBONE)), client, found[1], 25)
        return None

    def _relay(self) -> Opening | None:
        if not (found := self._mail_server()):
            return None
        client = self.like(self._cast.clients, found[1])
        return self._tcp(
            self._pick(self._cast.of_pool(self._cast.first_stop[found[0]])), client, found[1], 25
        )

    def _to_vip(self, kind: PoolKind, askers: list[Host]) -> Opening | None:
        pool, asker = self._pick(self._cast.pools_of(kind)), self._pick(askers)
        if pool is None or asker is None:
            return None
        vip = self._chance.choice(pool.vip)
        return self._tcp(asker, self.like(asker.addresses, vip), vip, pool.port)

    def _scan(self) -> Opening | None:
        proxies = self._cast.pools_of(PoolKind.MAIL_PROXY)
        return self._to_vip(
            PoolKind.SCANNER, [each for pool in proxies for each in self._cast.of_pool(pool.name)]
        )

    def _update(self) -> Opening | None:
        scanners = self._cast.pools_of(PoolKind.SCANNER)
        askers = [each for pool in scanners for each in self._cast.of_pool(pool.name)]
        return self._to_vip(PoolKind.ANTIVIRUS, askers)

    def _antivirus_client(self) -> Opening | None:
        return self._to_vip(PoolKind.ANTIVIRUS, self._cast.of_role(Role.TENANT))

    def _services(self) -> Iterator[tuple[Tenant, Address, int, int]]:
        for tenant in self._cast.policy.tenants:
            for service in tenant.services:
                for server in service.servers:
                    if service.protocol is Protocol.ICMP:
                        yield tenant, server, ICMP_OF[server.version], 0
                    for port in service.ports:
                        yield tenant, server, _PROTOCOLS[service.protocol], port

    def _service(self) -> Opening | None:
        if not (found := self._pick(list(self._services()))):
            return None
        tenant, server, protocol, port = found
        others = [h for h in self._cast.hosts if h.role in (Role.BACKBONE, Role.TENANT)]
        host = self._chance.choice([each for each in others if each.group != f"tenants.{tenant.name}"])
        source = self.like(host.addresses, server)
        return self._any(host, source, server, protocol, port) if source else None

    def _any(self, host: Host, source: Address, target: Address, protocol: int, port: int) -> Opening:
        if protocol in (IpProto.TCP, IpProto.UDP):
            return Opening(host, Tuple5(protocol, source, target, self._high_port(), port))
        kind = ECHO[source.version]
        return Opening(host, Tuple5(protocol, source, target, kind, self._chance.randrange(65536)))

    def _toward(self, host: Host | None, targets: tuple[Address, ...]) -> Opening | None:
        target = self._pick(targets)
        if host is None or target is None or (source := self.like(host.addresses, target)) is None:
            return None
        protocol = self._chance.choice((IpProto.TCP, IpProto.TCP, IpProto.UDP, ICMP_OF[target.version]))
        return self._any(host, source, target, protocol, self._chance.choice(PORTS))

    def _dark(self) -> Opening | None:
        inside = self._chance.choice(list(self._cast.inside.values()))
        return self._toward(self._pick(self._cast.of_role(Role.BACKBONE)), inside)

    def _outward(self) -> Opening | None:
        return self._toward(self._pick(self._cast.of_role(Role.TENANT)), self._cast.clients)

    def _between_tenants(self) -> Opening | None:
        inside = self._chance.choice(list(self._cast.inside.values()))
        return self._toward(self._pick(self._cast.of_role(Role.TENANT)), inside)
