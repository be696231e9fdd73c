"""Limits of a decoy: in total, for one source, and for one session."""

from dataclasses import dataclass

from services.base.sessions import ALL, SessionLimits, source_key
from services.base.settings import Address


@dataclass(frozen=True, slots=True)
class DecoyCaps:
    sessions: int = 2_000
    sessions_per_source: int = 100  # an IPv6 source is its /64
    seconds: float = 900.0
    idle_s: float = 120.0
    bytes_in: int = 32 * 1024 * 1024

    def limits(self, source: Address) -> SessionLimits:
        return {ALL: self.sessions, source_key(source): self.sessions_per_source}
