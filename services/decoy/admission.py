"""Who gets a session, and how much of everything: caps for all, for one source, and for one session."""

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv6Address

from services.personas.model import Address


@dataclass(frozen=True, slots=True)
class Caps:
    sessions: int = 2_000
    sessions_per_source: int = 100  # an IPv6 source is its /64
    seconds: float = 900.0
    idle_s: float = 120.0
    bytes_in: int = 32 * 1024 * 1024


class Admission:
    """Counts open sessions, and those that were sent away since somebody asked."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._open: Counter[bytes] = Counter()
        self._total = 0
        self._shed = 0

    def enter(self, source: Address) -> bool:
        key = _key(source)
        if self._total >= self._caps.sessions or self._open[key] >= self._caps.sessions_per_source:
            self._shed += 1
            return False
        self._total += 1
        self._open[key] += 1
        return True

    def leave(self, source: Address) -> None:
        key = _key(source)
        self._total -= 1
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]

    def take_shed(self) -> int:
        shed, self._shed = self._shed, 0
        return shed


def _key(source: Address) -> bytes:
    return source.packed[:8] if isinstance(source, IPv6Address) else source.packed
