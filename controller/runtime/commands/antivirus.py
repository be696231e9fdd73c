"""Commands about anti-virus servers and their clients."""

from collections.abc import Mapping
from dataclasses import dataclass

from common.wire.signatures import ClientReport, ServedRing
from controller.antivirus.fleet import Client, Server
from controller.runtime.commands.base import Command


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """`heard_s`: seconds since its last report. None: it has not reported yet."""

    name: str
    server: Server
    heard_s: float | None


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """`heard_s`: seconds since its last report. `behind`, `end_of_life`: what is wrong; empty: nothing."""

    client: Client
    heard_s: float
    behind: str
    end_of_life: str


@dataclass(frozen=True, slots=True)
class FleetStatus:
    rings: Mapping[str, ServedRing]
    servers: tuple[ServerStatus, ...]
    clients: tuple[ClientStatus, ...]


@dataclass(frozen=True, slots=True)
class ReportAntivirus(Command[int]):
    """Record what a server serves and what its clients reported; return how many reports were accepted."""

    server: str
    rings: Mapping[str, ServedRing]
    error: str
    reports: tuple[ClientReport, ...]


@dataclass(frozen=True, slots=True)
class ReadFleet(Command[FleetStatus]):
    """`asker`: one tenant or pool; empty: all."""

    asker: str = ""
    only_stale: bool = False
