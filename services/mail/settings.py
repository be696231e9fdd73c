"""The gateway's settings: a JSON file in, frozen types out, or an error with key and remedy.

The controller writes the file; its keys are the contract between the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from services.base.settings import Address, Network, Reader, SettingsError, read_top


class Role(StrEnum):
    PROXY = "proxy"
    SCANNER = "scanner"


class Disposition(StrEnum):
    REJECT = "reject"
    TEMPFAIL = "tempfail"
    PASS_TAGGED = "pass-tagged"


@dataclass(frozen=True, slots=True)
class ScannerAddress:
    """Where a clamd listens: host and TCP port, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    unix: str = ""

    def __str__(self) -> str:
        return self.unix or (f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}")


@dataclass(frozen=True, slots=True)
class ScanRule:
    action: str  # scan | skip
    client: tuple[Network, ...] = ()
    sender: tuple[str, ...] = ()
    recipient: tuple[str, ...] = ()
    larger_than_bytes: int = 0
    tls: bool | None = None


@dataclass(frozen=True, slots=True)
class Tls:
    clients: str = "offer"  # off | offer | require
    server: str = "may"  # none | may | require | verify
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Tenant:
    name: str
    prefixes: tuple[Network, ...]
    servers: frozenset[Address]
    server_port: int
    scan: tuple[ScanRule, ...]
    on_infected: Disposition
    on_limits: Disposition
    on_encrypted: Disposition
    on_unavailable: Disposition
    scanners: tuple[ScannerAddress, ...]
    tls: Tls
    message_limit_bytes: int
    normalizes_newlines: bool
    passes_nul: bool


@dataclass(frozen=True)
class Settings:
    revision: int
    role: Role
    pool: str
    port: int
    hostname: str
    tenants: tuple[Tenant, ...]
    is_transparent: bool
    refused_sources: frozenset[Address]
    state_dir: Path
    limits: Mapping[str, int]  # most sessions at once, by gateway; who is not named has none

    @cached_property
    def tenant_by_server(self) -> dict[Address, Tenant]:
        return {server: tenant for tenant in self.tenants for server in tenant.servers}


def parse_settings(text: str) -> Settings:
    """Raise `SettingsError` on anything that is not exactly what the gateway understands."""
    top = read_top(text)
    settings = Settings(
        revision=top.take("revision", int, 0),
        role=Role(top.one_of("role", ("proxy", "scanner"), "")),
        pool=top.take("pool", str),
        port=top.port("port"),
        hostname=top.take("hostname", str, "postern"),
        tenants=tuple(map(_read_tenant, top.records("tenants"))),
        is_transparent=top.take("transparent", bool, True),
        refused_sources=frozenset(top.addresses("trusted_sources_refused")),
        state_dir=Path(top.take("state_dir", str, "/var/lib/postern/mail")),
        limits=top.numbers("limits"),
    )
    _check_distinct_servers(settings)
    return settings


def _check_distinct_servers(settings: Settings) -> None:
    seen: dict[Address, str] = {}
    for tenant in settings.tenants:
        for server in tenant.servers:
            if seen.setdefault(server, tenant.name) != tenant.name:
                raise SettingsError(
                    f"tenants: {seen[server]} and {tenant.name} both have {server}; remedy: keep one"
                )


def _read_tenant(reader: Reader) -> Tenant:
    verdicts = reader.record("on_verdict")

    def disposition(key: str, default: str) -> Disposition:
        return Disposition(verdicts.one_of(key, tuple(Disposition), default))

    tls = reader.record("tls")
    return Tenant(
        name=reader.take("name", str),
        prefixes=reader.networks("prefixes"),
        servers=frozenset(reader.addresses("servers")),
        server_port=reader.take("server_port", int, 25),
        scan=tuple(map(_read_rule, reader.records("scan"))),
        on_infected=disposition("infected", "reject"),
        on_limits=disposition("limits", "reject"),
        on_encrypted=disposition("encrypted", "pass-tagged"),
        on_unavailable=disposition("unavailable", "tempfail"),
        scanners=tuple(map(_read_scanner, reader.records("scanners"))),
        tls=Tls(
            tls.one_of("clients", ("off", "offer", "require"), "offer"),
            tls.one_of("server", ("none", "may", "require", "verify"), "may"),
            tls.take("certificate", str, ""),
            tls.take("key", str, ""),
        ),
        message_limit_bytes=reader.take("message_limit_bytes", int, 26_214_400),
        normalizes_newlines=reader.one_of("bare_newlines", ("reject", "normalize"), "reject") == "normalize",
        passes_nul=reader.one_of("nul_bytes", ("reject", "pass"), "reject") == "pass",
    )


def _read_scanner(reader: Reader) -> ScannerAddress:
    unix = reader.take("unix", str, "")
    return (
        ScannerAddress(unix=unix)
        if unix
        else ScannerAddress(reader.take("host", str), reader.take("port", int))
    )


def _read_rule(reader: Reader) -> ScanRule:
    return ScanRule(
        reader.one_of("action", ("scan", "skip"), "scan"),
        reader.networks("client"),
        reader.texts("sender"),
        reader.texts("recipient"),
        reader.take("larger_than_bytes", int, 0),
        reader.flag_or_none("tls"),
    )
