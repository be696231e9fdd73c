"""A persona file to a frozen persona. Every mistake is told at once: file, line, key, what, remedy."""

import re
from ipaddress import ip_address

from services.personas.errors import Errors, quoted
from services.personas.model import (
    MOST_HOSTS,
    MOST_SERVICES,
    Address,
    Closed,
    Host,
    Persona,
    Service,
)
from services.personas.nodes import Scalar, read_nodes
from services.personas.protocols import read_service
from services.personas.reading import Fields

_FORMAT = 1
_DARK = "dark"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_LARGEST_WINDOW = 65_535  # the window in the answer to a SYN is never scaled


def parse_persona(text: str, file: str) -> Persona:
    """Raise `PersonaErrors`."""
    errors = Errors()
    fields = Fields(read_nodes(text, file), "", errors)
    fields.number("postern-persona", _FORMAT, _FORMAT)
    tenant = fields.line("tenant")
    if not _NAME.fullmatch(tenant):
        fields.note("tenant", f"{quoted(tenant)} is no name of a tenant", "write it as the policy does")
    hosts = tuple(fields.children("hosts", _read_host).values())
    if len(hosts) > MOST_HOSTS:
        fields.note("hosts", f"more than {MOST_HOSTS}", "let `dark` stand for some")
    if not hosts:
        fields.note("hosts", "holds no host", "add one, such as `dark: {addresses: dark, services: {}}`")
    fields.finish()
    _check_distinct(fields, hosts)
    errors.raise_any()
    return Persona(tenant, hosts)


def _read_host(name: str, fields: Fields) -> Host:
    if not _NAME.fullmatch(name):
        fields.note("", "is no name of a host", "use small letters, digits and -", fields.place)
    host = Host(
        name=name,
        addresses=_read_addresses(fields),
        closed=Closed(fields.one_of("closed", tuple(Closed), Closed.RESET)),
        ttl=fields.number("ttl", 1, 255, 64),
        window=fields.number("window", 0, _LARGEST_WINDOW, 0),
        services=_read_services(fields),
    )
    fields.finish()
    return host


def _read_addresses(fields: Fields) -> tuple[Address, ...]:
    if isinstance(fields.node("addresses"), Scalar):
        fields.one_of("addresses", (_DARK,))
        return ()
    texts = fields.lines("addresses")
    found: list[Address] = []
    for text in texts:
        try:
            found.append(ip_address(text))
        except ValueError:
            fields.note("addresses", f"{quoted(text)} is no address", "write it like 203.0.113.10")
    if not texts and fields.has("addresses"):
        fields.note("addresses", "holds no address", "write one, or `addresses: dark` for all others")
    return tuple(found)


def _read_services(fields: Fields) -> dict[int, Service]:
    inner = fields.child("services")
    if inner is None:
        return {}
    services: dict[int, Service] = {}
    for name, each in inner.each():
        port = inner.as_number(name, name, 1, 65_535)
        services[port] = read_service(port, each)
    if len(services) > MOST_SERVICES:
        fields.note("services", f"more than {MOST_SERVICES}", "no real host has so many")
    return services


def _check_distinct(fields: Fields, hosts: tuple[Host, ...]) -> None:
    seen: dict[Address | str, str] = {}
    for host in hosts:
        for address in host.addresses or (_DARK,):
            if (first := seen.setdefault(address, host.name)) != host.name:
                fields.note("hosts", f"{first} and {host.name} both have {address}", "keep one of them")
