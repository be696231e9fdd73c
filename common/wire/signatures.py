"""Reports on anti-virus signatures: from agents to servers, and from servers to the controller."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from common.wire.codec import Versioned
from common.wire.values import AtMost, Count, Detail, Matching, Name, Printable

_MOST_REPORTS = 1_000
_MOST_RINGS = 10
_Identity = Annotated[str, Matching(".+", "a name"), Printable(200)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureReport(Versioned):
    """What an agent has installed. `client`: its own number; `bytes`: fetched since its start."""

    client: _Identity
    host: Detail = ""
    kind: Detail = ""
    engine: Detail = ""
    error: Detail = ""
    agent: Detail = ""  # its version
    installed_at: Detail = ""  # UTC, by the client's own clock
    generation: Count = 0
    serial: Count = 0
    bytes: Count = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientReport(SignatureReport):
    """A report, and the tenant or pool of scanners that the server knows its sender by."""

    asker: _Identity
    asker_kind: Detail = ""


@dataclass(frozen=True, slots=True)
class ServedRing:
    """Which generation a ring has. `serial` only grows; `changed`: UTC."""

    serial: Count = 0
    generation: Count = 0
    changed: Detail = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport(Versioned):
    """What a server serves, what is wrong with it, and what agents reported to it."""

    server: _Identity
    rings: Annotated[Mapping[Name, ServedRing], AtMost(_MOST_RINGS)] = field(default_factory=dict)
    error: Detail = ""
    reports: Annotated[tuple[ClientReport, ...], AtMost(_MOST_REPORTS)] = ()
