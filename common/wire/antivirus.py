"""Settings of anti-virus servers, and of the builder, which follows `immunity`."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Literal

from common.wire.settings import HostSettings
from common.wire.values import Address, Port


class Immunity(StrEnum):
    """What the builder does automatically with files that decoys catch."""

    OFF = "off"
    SIMULATE = "simulate"  # only reported
    ON = "on"  # they become signatures for every client


class Ring(StrEnum):
    """Which clients get new signatures first."""

    CANARY = "canary"  # as soon as they are published
    ALL = "all"  # when they are promoted


class ClientKind(StrEnum):
    TENANT = "tenant"
    POOL = "pool"  # of scanners


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureClient:
    """A tenant, or a pool of scanners. `sources`: the addresses that the server sees."""

    name: str
    kind: ClientKind
    ring: Ring
    sources: tuple[Address, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AntivirusSettings(HostSettings):
    role: Literal["antivirus"]
    port: Port = 80
    addresses: tuple[Address, ...] = ()
    immunity: Immunity
    clients: tuple[SignatureClient, ...] = ()

    @cached_property
    def client_by_source(self) -> dict[Address, SignatureClient]:
        return {source: client for client in self.clients for source in client.sources}
