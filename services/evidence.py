"""Evidence on its way to the controller: gathered, counted, bounded, and never in anybody's way.

`add` only notes; one task sends. Same evidence seen again before it was sent is one entry with a count. While
the controller is away the newest evidence is lost first, counted, and told when it is back.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from services import controller
from services.controller import NotHeard, Refused

_MOST_WAITING = 5_000
_MOST_IN_ONE = 1_000  # the controller's own limit
_GATHER_S = 0.1
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_LONGEST_DETAIL = 300


class Event(StrEnum):
    EVIDENCE_REFUSED = "EvidenceRefused"
    EVIDENCE_LOST = "EvidenceLost"
    CONTROLLER_AWAY = "ControllerAway"
    CONTROLLER_BACK = "ControllerBack"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observed fact about a source."""

    kind: str
    source: str
    destination: str
    port: int
    transport: str
    detail: str
    tenant: str = ""
    trace: str = ""


class EvidencePost:
    """Holds what is not sent yet. `report` takes an event and its facts, as a journal does."""

    def __init__(self, socket: str, report: Callable[..., None]) -> None:
        self._socket, self._report = socket, report
        self._count_by_evidence: dict[Evidence, int] = {}
        self._lost = 0
        self._is_away = False
        self._more = asyncio.Event()

    def add(self, evidence: Evidence) -> None:
        """Note evidence; return at once."""
        if evidence in self._count_by_evidence:
            self._count_by_evidence[evidence] += 1
        elif len(self._count_by_evidence) < _MOST_WAITING:
            self._count_by_evidence[evidence] = 1
        else:
            self._lost += 1
        self._more.set()

    async def run(self) -> None:
        """Send, for ever."""
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._more.wait()
            await asyncio.sleep(_GATHER_S)
            if await self._send_some():
                pause_s = _FIRST_PAUSE_S
            else:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _send_some(self) -> bool:
        batch = list(self._count_by_evidence.items())[:_MOST_IN_ONE]
        media = [to_media(evidence, count) for evidence, count in batch]
        body = json.dumps({"evidence": media}).encode()
        try:
            answer = await controller.request(self._socket, "POST", "/v1/evidence", body)
        except Refused as error:  # all of it, and it would be so again
            self._settle(batch)
            self._report(Event.EVIDENCE_REFUSED, count=len(batch), examples=[str(error)])
            return True
        except NotHeard as error:
            if not self._is_away:
                self._report(Event.CONTROLLER_AWAY, why=str(error), waiting=len(self._count_by_evidence))
            self._is_away = True
            return False
        self._settle(batch)
        self._tell(answer)
        return True

    def _settle(self, batch: list[tuple[Evidence, int]]) -> None:
        """What was counted while the request was under way stays for the next one."""
        for evidence, count in batch:
            self._count_by_evidence[evidence] -= count
            if not self._count_by_evidence[evidence]:
                del self._count_by_evidence[evidence]
        if not self._count_by_evidence:
            self._more.clear()

    def _tell(self, answer: Any) -> None:
        if self._is_away:
            self._is_away = False
            self._report(Event.CONTROLLER_BACK, waiting=len(self._count_by_evidence))
        if self._lost:
            self._report(Event.EVIDENCE_LOST, count=self._lost)
            self._lost = 0
        refused = answer.get("refused") if isinstance(answer, dict) else None
        if isinstance(refused, list) and refused:
            self._report(
                Event.EVIDENCE_REFUSED, count=len(refused), examples=[str(each)[:200] for each in refused[:3]]
            )


def to_media(evidence: Evidence, count: int) -> dict[str, Any]:
    """Return evidence in the controller's words, its text short and escaped."""
    media = asdict(evidence)
    detail = evidence.detail[:_LONGEST_DETAIL]
    media["detail"] = "".join(each if " " <= each <= "~" else f"\\x{ord(each):02x}" for each in detail)
    return {**media, "count": count}
