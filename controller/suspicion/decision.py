"""What the network does about a source: decisions as plain values.

The fields are those of CrowdSec's decisions (origin, scope, value, type, duration,
scenario), and others that these lack: tenant, protocol and port, confidence, and what
happens to open sessions.
"""

from dataclasses import dataclass

from controller.policy.model import Action, Network, OpenSessions, Protocol


@dataclass(frozen=True, slots=True)
class Scope:
    """Which new connections of a source. Empty tenant: those to all tenants; no protocol: all."""

    source: Network
    tenant: str = ""
    protocol: Protocol | None = None
    port: int = 0  # 0: all

    def __str__(self) -> str:
        text = str(self.source)
        if self.source.prefixlen == self.source.max_prefixlen:
            text = str(self.source.network_address)
        if self.tenant:
            text += f" to {self.tenant}"
        if self.protocol:
            text += f" {self.protocol}" + (f" port {self.port}" if self.port else "")
        return text


@dataclass(frozen=True, slots=True)
class Request:
    """A requested decision."""

    scope: Scope
    action: Action
    origin: str
    scenario: str = "manual"
    reason: str = ""
    duration_s: float = 14_400.0
    confidence: float = 1.0  # 0 .. 1
    sessions: OpenSessions = OpenSessions.KEEP
    is_simulated: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """An accepted request. Times are seconds since 1970, UTC, for display; expiry has its own clock."""

    number: int  # counts from 1, never reused; part of its cookie
    request: Request
    since: float
    until: float

    @property
    def rank(self) -> tuple[bool, int, float]:
        """Orders decisions of one scope: the greatest one is in force."""
        return not self.request.is_simulated, _STRENGTH[self.request.action], self.until


_STRENGTH = {action: number for number, action in enumerate(Action)}
