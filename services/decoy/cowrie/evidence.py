"""Evidence on its way to the controller: soon, together, and kept for a while if nobody hears."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from services.controller import NotHeard, request

_MOST_WAITING = 10_000
_MOST_AT_ONCE = 1_000
_PATIENCE_S = 0.005  # how long a piece waits for others
_RETRY_S = 1.0


class EvidencePost:
    """`add` at any time; `run` until cancelled. Without a socket evidence is nothing."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._waiting: deque[Mapping[str, Any]] = deque()
        self._is_there = asyncio.Event()
        self.lost = 0
        self.trouble = ""

    def add(self, piece: Mapping[str, Any]) -> None:
        if not self._socket:
            return
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(piece)
        self._is_there.set()

    async def run(self) -> None:
        while True:
            await self._is_there.wait()
            await asyncio.sleep(_PATIENCE_S)
            if not await self._post():
                await asyncio.sleep(_RETRY_S)

    async def finish(self, within_s: float = 1.0) -> None:
        """Post what is left, once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._waiting and await self._post():
                    pass

    async def _post(self) -> bool:
        pieces = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_AT_ONCE))]
        if not self._waiting:
            self._is_there.clear()
        if not pieces:
            return True
        try:
            await request(self._socket, "POST", "/v1/evidence", json.dumps({"evidence": pieces}).encode())
        except NotHeard as error:
            self.trouble = str(error)
            self._waiting.extendleft(reversed(pieces[: _MOST_WAITING - len(self._waiting)]))
            self._is_there.set()
            return False
        self.trouble = ""
        return True
