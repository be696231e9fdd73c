"""Evidence on its way to the controller: collected, counted, bounded, and never blocking its source.

`add` only queues. One task sends at once, together with what has arrived meanwhile. Evidence that repeats
before it is sent becomes one piece with a count, and keeps its first detail. While the controller is down,
the oldest pieces are dropped first; their number is counted and reported.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from common.api import ApiAccess
from common.journal.journal import Report
from common.wire.codec import to_media
from common.wire.evidence import MOST_SEEN, ReportedEvidence
from services.base import controller
from services.base.controller import ControllerRefused, NotHeard
from services.base.events import DaemonEvent

Evidence = ReportedEvidence
MOST_WAITING = 10_000
_MOST_IN_ONE = 1_000  # the controller's limit
_RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_LONGEST_DETAIL = 300


@dataclass(slots=True)
class _Waiting:
    first: Evidence
    count: int = 0


class EvidencePost:
    """Holds evidence that is not sent yet. `report` takes an event and its fields, like a journal.

    Without an API, evidence is not kept.
    """

    def __init__(self, api: ApiAccess | None, report: Report) -> None:
        self._api, self._report = api, report
        self._waiting: dict[tuple[str, ...], _Waiting] = {}  # oldest first
        self._lost = 0
        self._is_due = asyncio.Event()

    def add(self, evidence: Evidence) -> None:
        """Queue evidence; return at once."""
        if self._api is None:
            return
        self._waiting.setdefault(_key_of(evidence), _Waiting(evidence)).count += 1
        while len(self._waiting) > MOST_WAITING:
            self._lost += self._waiting.pop(next(iter(self._waiting))).count
        self._is_due.set()

    async def run(self) -> None:
        """Send forever. Without an API, wait forever."""
        failures = 0
        while True:
            await self._is_due.wait()
            batch = self._take()
            try:
                answer = await self._send(batch)
            except ControllerRefused as error:  # the whole request; it would be refused again
                self._report(DaemonEvent.EVIDENCE_REFUSED, count=len(batch), examples=[str(error)])
                continue
            except NotHeard as error:
                self._put_back(batch)
                if not failures:
                    self._report(DaemonEvent.CONTROLLER_AWAY, reason=str(error), waiting=len(self._waiting))
                await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                failures += 1
                continue
            if failures:
                self._report(DaemonEvent.CONTROLLER_BACK, waiting=len(self._waiting))
                failures = 0
            self._tell(answer)

    def _take(self) -> dict[tuple[str, ...], _Waiting]:
        keys = list(self._waiting)[:_MOST_IN_ONE]
        batch = {key: self._waiting.pop(key) for key in keys}
        if not self._waiting:
            self._is_due.clear()
        return batch

    def _put_back(self, batch: Mapping[tuple[str, ...], _Waiting]) -> None:
        newer, self._waiting = self._waiting, dict(batch)
        for key, each in newer.items():
            self._waiting.setdefault(key, _Waiting(each.first)).count += each.count
        self._is_due.set()

    async def _send(self, batch: Mapping[tuple[str, ...], _Waiting]) -> Any:
        media = [_media_of(each) for each in batch.values()]
        body = json.dumps({"evidence": media}).encode()
        assert self._api is not None, "evidence is kept only where there is an API"
        return await controller.request(self._api, "POST", "/v1/evidence", body)

    def _tell(self, answer: Any) -> None:
        if self._lost:
            self._report(DaemonEvent.EVIDENCE_LOST, count=self._lost)
            self._lost = 0
        refused = answer.get("refused") if isinstance(answer, dict) else None
        if isinstance(refused, list) and refused:
            self._report(
                DaemonEvent.EVIDENCE_REFUSED,
                count=len(refused),
                examples=[str(each)[:200] for each in refused[:3]],
            )


def _key_of(evidence: Evidence) -> tuple[str, ...]:
    """Return the key by which repeated evidence is recognised."""
    door = f"{evidence.transport}/{evidence.port}"
    return evidence.kind, evidence.source, evidence.tenant, evidence.destination, door


def _media_of(waiting: _Waiting) -> dict[str, Any]:
    """Return evidence as the controller expects it, with its text shortened and escaped."""
    detail = waiting.first.detail[:_LONGEST_DETAIL]
    escaped = "".join(each if " " <= each <= "~" else f"\\x{ord(each):02x}" for each in detail)
    return to_media(replace(waiting.first, detail=escaped, count=min(waiting.count, MOST_SEEN)))
