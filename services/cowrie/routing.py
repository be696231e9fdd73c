"""Finds the Cowrie that answers at an address and port, and the endpoints to listen at. Pure."""

from collections.abc import Iterable

from services.cowrie.spec import Answering, Spec, to_answering
from services.decoy.listeners import Endpoint, ends_of
from services.decoy.tenants import Tenants
from services.personas.model import Address, Host


class RoutingTable:
    """The routes of all tenants."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants
        self._answering = {
            (persona.tenant, host.name): to_answering(persona, host)
            for persona in tenants.personas.values()
            for host in persona.hosts
        }

    @property
    def specs(self) -> tuple[Spec, ...]:
        return tuple(each.spec for answering in self._answering.values() for each in answering)

    def find(self, address: Address, port: int) -> tuple[Spec, Host, str] | None:
        """Return which Cowrie answers there, for which host, and with which protocol."""
        standing = self._tenants.standing_at(address, port)
        if standing is None:
            return None
        for each in self._answering[standing.tenant, standing.host.name]:
            if port in each.protocol_by_port:
                return each.spec, standing.host, each.protocol_by_port[port]
        return None

    def places(self) -> frozenset[Endpoint]:
        """Return the endpoints to listen at: each named address, and the wildcard for dark space."""
        places: dict[tuple[str, int], Endpoint] = {}
        for persona in sorted(self._tenants.personas.values(), key=lambda each: each.tenant):
            for host in persona.hosts:
                for port in _ports(self._answering[persona.tenant, host.name]):
                    for family, address in ends_of(host):
                        place = Endpoint(family, address, port, host.ttl_at(port), host.window)
                        places.setdefault((address, port), place)
        return frozenset(places.values())


def _ports(answering: Iterable[Answering]) -> list[int]:
    return [port for each in answering for port in each.protocol_by_port]
