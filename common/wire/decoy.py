"""Settings of decoys: which tenants they stand in for, their addresses, and what the pool's hosts share."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from common.wire.codec import Versioned
from common.wire.settings import HostSettings
from common.wire.values import AtMost, Matching, Network, Range, SecretBytes

_MOST_TENANTS = 10_000
# The name of a persona's file: no path, and no character that is special in a shell or a log.
_Name = Annotated[str, Matching(r"(?=.*\w)[\w.-]+", "a name of letters, digits, `-`, `_` and `.`")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoyTenant:
    name: _Name
    prefixes: tuple[Network, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DecoySettings(HostSettings):
    """`secret`: of the pool, 32 bytes in hex. `since`: when the pool got it, Unix seconds."""

    role: Literal["decoy"] = "decoy"
    pool: str = ""
    secret: Annotated[str, SecretBytes(32)] = field(repr=False)
    since: Annotated[int, Range(1, 2**40 - 1)]
    tenants: Annotated[tuple[DecoyTenant, ...], AtMost(_MOST_TENANTS)] = ()

    def __post_init__(self) -> None:
        """Raise `ValueError` if a tenant's name occurs twice."""
        if len({tenant.name for tenant in self.tenants}) != len(self.tenants):
            raise ValueError("tenants: a name occurs twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantPrefixes(Versioned):
    """What a sensor needs from the decoys' settings: which addresses belong to which tenant."""

    tenants: Annotated[tuple[DecoyTenant, ...], AtMost(_MOST_TENANTS)] = ()
