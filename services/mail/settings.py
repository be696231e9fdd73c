"""The gateway's settings: a JSON file in, frozen types out, or an error with key and remedy.

The controller writes the file; its keys are the contract between the two.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_FORMAT = 1


class SettingsError(Exception):
    """The file is no valid settings; the text names the key and a remedy."""


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


class Reader:
    """Reads keys of one JSON object; every error names the path of the key."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise SettingsError(
                f"{path or 'the file'}: an object is wanted; remedy: let the controller write it"
            )
        self._value, self._path = value, path

    def take(self, key: str, kind: type, default: Any = None) -> Any:
        value = self._value.get(key, default)
        is_number_as_bool = kind is int and isinstance(value, bool)
        if not isinstance(value, kind) or is_number_as_bool:
            raise SettingsError(
                f"{self._name(key)}: {kind.__name__} is wanted; remedy: let the controller write it"
            )
        return value

    def record(self, key: str) -> "Reader":
        return Reader(self._value.get(key, {}), self._name(key))

    def records(self, key: str) -> "list[Reader]":
        items = self.take(key, list, [])
        return [Reader(item, f"{self._name(key)}[{number}]") for number, item in enumerate(items)]

    def one_of(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.take(key, str, default)
        if value not in allowed:
            raise SettingsError(
                f"{self._name(key)}: unknown value {value!r:.60}; remedy: one of {', '.join(allowed)}"
            )
        return str(value)

    def addresses(self, key: str) -> tuple[Address, ...]:
        return self._each(key, ip_address)

    def networks(self, key: str) -> tuple[Network, ...]:
        return self._each(key, ip_network)

    def texts(self, key: str) -> tuple[str, ...]:
        return self._each(key, str)

    def port(self, key: str) -> int:
        port: int = self.take(key, int, 25)
        if not 1 <= port <= 65_535:
            raise SettingsError(f"{self._name(key)}: outside 1..65535; remedy: correct it")
        return port

    def numbers(self, key: str) -> dict[str, int]:
        """Return numbers above zero, by name."""
        record = self.record(key)
        numbers: dict[str, int] = {name: record.take(name, int) for name in self.take(key, dict, {})}
        if low := [name for name, number in numbers.items() if number < 1]:
            raise SettingsError(f"{record._name(low[0])}: is below 1; remedy: correct it")
        return numbers

    def flag_or_none(self, key: str) -> bool | None:
        value = self._value.get(key)
        if value is not None and not isinstance(value, bool):
            raise SettingsError(f"{self._name(key)}: true, false or null is wanted; remedy: correct it")
        return value

    def _each(self, key: str, read: Any) -> tuple[Any, ...]:
        try:
            return tuple(read(item) for item in self.take(key, list, []))
        except ValueError as error:
            raise SettingsError(f"{self._name(key)}: {error}; remedy: correct the address") from error

    def _name(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def read_top(text: str) -> Reader:
    """Return the keys of a settings file whose format is ours. Raise `SettingsError`."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"not JSON: {error}; remedy: let the controller write the file again") from error
    top = Reader(value, "")
    if (found := top.take("format", int, 0)) != _FORMAT:
        raise SettingsError(
            f"format: is {found}, this program reads {_FORMAT}; remedy: use matching releases"
        )
    return top


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
