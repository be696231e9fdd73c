"""Settings of the responder: which tenant has which servers, and how it answers their senders."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Literal

from common.wire.settings import HostSettings
from common.wire.values import Address, Port


class Answer(StrEnum):
    TEMPFAIL = "tempfail"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponderTenant:
    name: str
    servers: tuple[Address, ...] = ()
    answer: Answer


@dataclass(frozen=True, kw_only=True)
class ResponderSettings(HostSettings):
    role: Literal["responder"]
    port: Port = 25
    transparent: bool = True
    tenants: tuple[ResponderTenant, ...] = ()

    @cached_property
    def tenant_by_server(self) -> dict[Address, ResponderTenant]:
        return {server: tenant for tenant in self.tenants for server in tenant.servers}
