"""The open sessions of a program: admitted up to limits, counted by key, ended when the program stops."""

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from ipaddress import IPv6Address
from typing import Generic, TypeVar

from services.base.settings import Address

SessionLimits = Mapping[Hashable, int]  # maximum concurrent sessions, by the key that they count towards
T = TypeVar("T", bound=Hashable)
ALL = "all"
# A health agent on this host checks whether the program is alive. It is answered even at the limit.
AGENT_LIMITS: SessionLimits = {ALL: 20}
AGENT_S = 5.0
_PARTING_S = 2.0


class Sessions(Generic[T]):
    """`end` closes a session because the program stops; `forget` follows when the client is gone."""

    def __init__(self, end: Callable[[T], None]) -> None:
        self._end = end
        self._keys: dict[T, tuple[Hashable, ...]] = {}
        self._open: Counter[Hashable] = Counter()
        self._all_gone = asyncio.Event()

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[T]:
        """Yield the open sessions. Some may end during the iteration."""
        return iter(tuple(self._keys))

    def __contains__(self, session: T) -> bool:
        return session in self._keys

    def admit(self, session: T, limits: SessionLimits) -> bool:
        """Count a session towards each key; return False, and do not count it, over a limit."""
        if any(self._open[key] >= limit for key, limit in limits.items()):
            return False
        self._keys[session] = tuple(limits)
        self._open.update(limits.keys())
        self._all_gone.clear()
        return True

    def forget(self, session: T) -> bool:
        """Remove a session that has ended; return whether it was open."""
        keys = self._keys.pop(session, ())
        for key in keys:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
        if not self._keys:
            self._all_gone.set()
        return bool(keys)

    async def end_all(self, grace_s: float = 0.0) -> int:
        """Let sessions finish for `grace_s` seconds, then end the rest. Return how many were ended."""
        await self._wait(grace_s)
        left = len(self)
        for session in self:
            self._end(session)
        await self._wait(_PARTING_S)
        return left

    async def _wait(self, seconds: float) -> None:
        if not self._keys or not seconds:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._all_gone.wait()
        except TimeoutError:
            return


def source_key(source: Address) -> bytes:
    """Return the key for sessions of one source: its IPv4 address or its IPv6 /64, which one host may own."""
    return source.packed[:8] if isinstance(source, IPv6Address) else source.packed
