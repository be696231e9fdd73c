"""Evidence to the controller: what was seen goes out at once, together with what came meanwhile.

Nothing ever waits for the controller. While it is away, equal evidence is counted in one record, the
newest records are kept, and how many were let go is told.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from services.controller import NotHeard, request

_MOST_WAITING = 10_000
_MOST_AT_ONCE = 1_000
_RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_LONGEST_DETAIL = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """One observed fact; `detail` is escaped and short, `trace` the session's."""

    kind: str
    source: str
    tenant: str
    destination: str
    port: int
    detail: str
    trace: str
    transport: str = "tcp"


def escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")[:_LONGEST_DETAIL]


class Reporter:
    """`note` from anywhere; `run` as a task. `tell` hears why, and of how many, when they do not arrive."""

    def __init__(self, socket: str, tell: Callable[[str, int], None]) -> None:
        self._socket, self._tell = socket, tell
        self._waiting: dict[tuple[Any, ...], tuple[Seen, int]] = {}  # in the order of their coming
        self._is_due = asyncio.Event()
        self.lost = 0

    def note(self, seen: Seen) -> None:
        if not self._socket:
            return
        key = (seen.kind, seen.source, seen.tenant, seen.destination, seen.port)
        first, count = self._waiting.get(key, (seen, 0))
        self._waiting[key] = first, count + 1
        if len(self._waiting) > _MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
            self.lost += 1
        self._is_due.set()

    async def run(self) -> None:
        failures = 0
        while True:
            await self._is_due.wait()
            batch = self._take()
            try:
                answer = await request(self._socket, "POST", "/v1/evidence", _body(batch))
            except NotHeard as error:
                self._put_back(batch)
                if not failures:
                    self._tell(str(error), len(self._waiting))
                await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                failures += 1
                continue
            failures = 0
            self._look_at(answer)

    def _take(self) -> dict[tuple[Any, ...], tuple[Seen, int]]:
        keys = list(self._waiting)[:_MOST_AT_ONCE]
        batch = {key: self._waiting.pop(key) for key in keys}
        if not self._waiting:
            self._is_due.clear()
        return batch

    def _put_back(self, batch: dict[tuple[Any, ...], tuple[Seen, int]]) -> None:
        newer, self._waiting = self._waiting, batch
        for key, (seen, count) in newer.items():
            first, before = self._waiting.get(key, (seen, 0))
            self._waiting[key] = first, before + count
        while len(self._waiting) > _MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
            self.lost += 1
        self._is_due.set()

    def _look_at(self, answer: Any) -> None:
        refused = answer.get("refused") if isinstance(answer, dict) else None
        if isinstance(refused, list) and refused:
            self._tell(str(refused[0])[:300], len(refused))


def _body(batch: dict[tuple[Any, ...], tuple[Seen, int]]) -> bytes:
    return json.dumps({"evidence": [{**asdict(seen), "count": n} for seen, n in batch.values()]}).encode()
