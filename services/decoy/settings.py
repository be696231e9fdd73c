"""The decoy's settings: which tenants it stands in for, and where their addresses are."""

import json
from dataclasses import dataclass

from services.base.settings import Network, Reader, SettingsError
from services.decoy.shared_identity import Likeness

_MOST_TENANTS = 10_000
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Tenant:
    name: str
    prefixes: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    revision: int
    tenants: tuple[Tenant, ...]
    likeness: Likeness


def parse_settings(text: str) -> Settings:
    """Raise `SettingsError` on anything that is not exactly what a decoy understands."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"not JSON: {error}; remedy: let the controller write the file again") from error
    top = Reader(value, "")
    records = top.records("tenants")
    if len(records) > _MOST_TENANTS:
        raise SettingsError(f"tenants: more than {_MOST_TENANTS}; remedy: use more decoys")
    tenants = tuple(Tenant(each.take("name", str), each.networks("prefixes")) for each in records)
    for tenant in tenants:
        if not tenant.name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise SettingsError(
                f"tenants: {tenant.name!r:.60} is no name; remedy: let the controller write it"
            )
    if len({tenant.name for tenant in tenants}) != len(tenants):
        raise SettingsError("tenants: one name twice; remedy: let the controller write the file again")
    return Settings(top.take("revision", int, 0), tenants, _read_likeness(top))


def _read_likeness(top: Reader) -> Likeness:
    text, since = top.take("secret", str), top.take("since", int)
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != _SECRET_BYTES or not 0 < since < 2**40:
        raise SettingsError(
            f"secret, since: no {_SECRET_BYTES} bytes in hex, or no time; "
            "remedy: let the controller write the file again"
        )
    return Likeness(secret, since)
