"""Which Cowrie answers at which address and port, and where to listen for that. Pure."""

import ipaddress
from collections.abc import Iterable

from services.decoy.cowrie.spec import Answering, Spec, to_answering
from services.decoy.persona.model import Address, Persona

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Place = tuple[Address, int]

EVERYWHERE: dict[int, Address] = {4: ipaddress.ip_address("0.0.0.0"), 6: ipaddress.ip_address("::")}


class Directory:
    """Of all tenants: their prefixes, and their personas."""

    def __init__(self, tenants: Iterable[tuple[tuple[Network, ...], Persona]]) -> None:
        self._tenants = [
            (prefixes, persona, {host.name: to_answering(persona, host) for host in persona.hosts})
            for prefixes, persona in tenants
        ]

    @property
    def specs(self) -> tuple[Spec, ...]:
        return tuple(
            each.spec for _, _, hosts in self._tenants for answering in hosts.values() for each in answering
        )

    def find(self, address: Address, port: int) -> tuple[Spec, str] | None:
        """Return who answers there, and with which protocol."""
        for prefixes, persona, hosts in self._tenants:
            if any(address in prefix for prefix in prefixes):
                host = persona.host_at(address)
                return _at(port, hosts[host.name]) if host else None
        return None

    def listening(self) -> frozenset[Place]:
        """Return where to listen: at addresses of their own, or everywhere if it is for dark space."""
        places: set[Place] = set()
        for prefixes, persona, hosts in self._tenants:
            everywhere = {EVERYWHERE[prefix.version] for prefix in prefixes}
            for host in persona.hosts:
                ports = [port for each in hosts[host.name] for port in each.protocol_by_port]
                places |= {(place, port) for place in host.addresses or everywhere for port in ports}
        # Who listens everywhere hears the single addresses, too.
        return frozenset(
            (address, port)
            for address, port in places
            if address == EVERYWHERE[address.version] or (EVERYWHERE[address.version], port) not in places
        )


def _at(port: int, answering: Iterable[Answering]) -> tuple[Spec, str] | None:
    for each in answering:
        if port in each.protocol_by_port:
            return each.spec, each.protocol_by_port[port]
    return None
