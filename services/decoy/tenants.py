"""The tenant and the service at each address: settings and personas as one frozen table. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from common.wire.decoy import DecoySettings
from services.decoy.port_filter.table import PortTable, port_table_of
from services.decoy.shared_identity import SharedIdentity
from services.personas.model import Address, Host, Persona, Service


@dataclass(frozen=True, slots=True)
class DecoyTarget:
    """A tenant's service at an address."""

    tenant: str
    host: Host
    service: Service


class Tenants:
    def __init__(self, settings: DecoySettings, personas: Mapping[str, Persona]) -> None:
        self.settings, self.personas = settings, personas
        self.likeness = SharedIdentity(bytes.fromhex(settings.secret), settings.since)
        self._tenant_by_net: dict[tuple[int, int, int], str] = {}
        self._lengths: dict[int, list[int]] = {4: [], 6: []}
        for tenant in settings.tenants:
            for prefix in tenant.prefixes:
                key = prefix.version, prefix.prefixlen, int(prefix.network_address)
                self._tenant_by_net[key] = tenant.name
                if prefix.prefixlen not in self._lengths[prefix.version]:
                    self._lengths[prefix.version].append(prefix.prefixlen)
        for lengths in self._lengths.values():
            lengths.sort(reverse=True)
        self.tenant_of = lru_cache(maxsize=4_096)(self._tenant_of)

    def standing_at(self, address: Address, port: int) -> DecoyTarget | None:
        """Return what an attacker finds at this address and port."""
        tenant = self.tenant_of(address)
        host = self.personas[tenant].host_at(address) if tenant else None
        service = host.services.get(port) if host else None
        return DecoyTarget(tenant, host, service) if host and service else None

    def port_table(self) -> PortTable:
        return port_table_of(
            {tenant.name: tenant.prefixes for tenant in self.settings.tenants}, self.personas
        )

    def _tenant_of(self, address: Address) -> str:
        number, bits = int(address), address.max_prefixlen
        for length in self._lengths[address.version]:
            shift = bits - length
            name = self._tenant_by_net.get((address.version, length, number >> shift << shift))
            if name is not None:
                return name
        return ""
