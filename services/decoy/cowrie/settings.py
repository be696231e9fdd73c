"""What the controller says: which tenants there are, with their prefixes."""

import json
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from services.decoy.cowrie.directory import Network
from services.mail.settings import SettingsError

_MOST_TENANTS = 10_000


@dataclass(frozen=True, slots=True)
class Tenant:
    name: str
    prefixes: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    revision: int
    tenants: tuple[Tenant, ...]


def parse_settings(text: str) -> Settings:
    """Raise `SettingsError`."""
    try:
        top = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"not JSON: {error}") from error
    if not isinstance(top, dict) or not isinstance(tenants := top.get("tenants"), list):
        raise SettingsError("tenants: not a list")
    if len(tenants) > _MOST_TENANTS:
        raise SettingsError(f"tenants: more than {_MOST_TENANTS}")
    revision = top.get("revision", 0)
    if not isinstance(revision, int):
        raise SettingsError("revision: not a number")
    return Settings(revision, tuple(_tenant(each, number) for number, each in enumerate(tenants)))


def _tenant(said: Any, number: int) -> Tenant:
    if not isinstance(said, dict) or not isinstance(name := said.get("name"), str):
        raise SettingsError(f"tenants.{number}.name: not a text")
    if "/" in name or name.startswith("."):
        raise SettingsError(f"tenants.{number}.name: {name!r:.80} is no name of a tenant")
    prefixes = said.get("prefixes")
    if not isinstance(prefixes, list):
        raise SettingsError(f"tenants.{number}.prefixes: not a list")
    try:
        return Tenant(name, tuple(map(ip_network, prefixes)))
    except ValueError as error:
        raise SettingsError(f"tenants.{number}.prefixes: {error}") from error
