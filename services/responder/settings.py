"""The responder's settings: which tenant has which servers, and what their clients are told."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from services.base.settings import Address, Reader, read_top


class Answer(StrEnum):
    TEMPFAIL = "tempfail"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Tenant:
    name: str
    servers: frozenset[Address]
    answer: Answer


@dataclass(frozen=True)
class Settings:
    revision: int
    pool: str
    port: int
    is_transparent: bool
    tenants: tuple[Tenant, ...]

    @cached_property
    def tenant_by_server(self) -> dict[Address, Tenant]:
        return {server: tenant for tenant in self.tenants for server in tenant.servers}


def parse_settings(text: str) -> Settings:
    """Raise `SettingsError` on anything that is not exactly what a responder understands."""
    top = read_top(text)
    top.one_of("role", ("responder",), "")
    return Settings(
        revision=top.take("revision", int, 0),
        pool=top.take("pool", str),
        port=top.port("port"),
        is_transparent=top.take("transparent", bool, True),
        tenants=tuple(map(_read_tenant, top.records("tenants"))),
    )


def _read_tenant(reader: Reader) -> Tenant:
    answer = Answer(reader.one_of("answer", tuple(Answer), ""))
    return Tenant(reader.take("name", str), frozenset(reader.addresses("servers")), answer)
