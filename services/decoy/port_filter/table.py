"""The port table for the kernel: the host of each address, and the ports of each host. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from common.wire.values import Network
from services.personas.model import Address, Closed, Host, Persona

_NOBODY = Host("nobody", (), Closed.RESET, 64, 0, {})


@dataclass(frozen=True, slots=True)
class PortTable:
    """`hosts` by address (as in an IPv6 socket) and prefix length; `open` is pairs of host and port."""

    hosts: Mapping[tuple[bytes, int], tuple[int, Closed]]
    open: frozenset[tuple[int, int]]


def port_table_of(
    prefixes_by_tenant: Mapping[str, Iterable[Network]], personas: Mapping[str, Persona]
) -> PortTable:
    """Return the table. Without a dark host, all ports of a tenant's other addresses are closed."""
    hosts: dict[tuple[bytes, int], tuple[int, Closed]] = {}
    ports: set[tuple[int, int]] = set()
    number = 0
    for tenant, prefixes in prefixes_by_tenant.items():
        persona = personas[tenant]
        for host in {id(host): host for host in (*persona.hosts, persona.dark or _NOBODY)}.values():
            number += 1
            ports.update((number, port) for port in host.services)
            for address in host.addresses:
                hosts[_mapped(address), 128] = number, host.closed
            for prefix in prefixes if host.is_dark else ():
                offset = 96 if prefix.version == 4 else 0
                hosts[_mapped(prefix.network_address), offset + prefix.prefixlen] = number, host.closed
    return PortTable(hosts, frozenset(ports))


def _mapped(address: Address) -> bytes:
    """Return an address as an IPv6 socket has it: IPv4 as ::ffff:a.b.c.d."""
    if isinstance(address, IPv4Address):
        return b"\0" * 10 + b"\xff\xff" + address.packed
    return address.packed
