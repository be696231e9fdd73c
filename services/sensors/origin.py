"""Makes the controller hold exactly the decisions of one origin.

If the controller is unavailable or refuses, the newest list is sent again later.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from common.api import ApiAccess
from common.journal.journal import Report
from common.wire.codec import to_media
from common.wire.decisions import RequestedDecision
from services.base import controller
from services.base.controller import NotHeard
from services.base.events import DaemonEvent
from services.base.settings import Network
from services.sensors.events import SensorsEvent
from services.sensors.networks import printable, to_text
from services.sensors.settings import Meaning

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_REPLACE_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Because:
    """The source of a decision and the reason for it."""

    origin: str
    scenario: str
    reason: str


def to_decision(network: Network, meaning: Meaning, because: Because, duration_s: float) -> RequestedDecision:
    return RequestedDecision(
        value=to_text(network),
        action=meaning.action,
        duration_s=round(duration_s),
        origin=because.origin,
        scenario=because.scenario,
        reason=because.reason,
        confidence=meaning.confidence,
        tenant=meaning.tenant,
        simulated=meaning.simulated,
        sessions=meaning.sessions,
    )


def body_of(decisions: Iterable[RequestedDecision]) -> bytes:
    """Return the body of a request that makes decisions."""
    return json.dumps({"decisions": list(map(to_media, decisions))}).encode()


async def replace(api: ApiAccess, origin: str, decisions: Sequence[RequestedDecision]) -> Any:
    """Replace the decisions of an origin at the controller by these. Raise `NotHeard`."""
    body = await asyncio.to_thread(body_of, decisions)
    path = f"/v1/origins/{quote(origin, safe='')}"
    return await controller.request(api, "PUT", path, body, _REPLACE_WITHIN_S)


async def replace_patiently(
    api: ApiAccess, origin: str, decisions: Callable[[], Sequence[RequestedDecision]], report: Report
) -> None:
    """Replace an origin's decisions, retrying while the controller is down. Report that once, and success."""
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            answer = await replace(api, origin, decisions())
        except NotHeard as error:
            if pause_s == _FIRST_PAUSE_S:
                report(DaemonEvent.CONTROLLER_AWAY, origin=origin, reason=str(error))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        else:
            report(SensorsEvent.ORIGIN_REPLACED, origin=origin, **summary(answer))
            return


def summary(answer: Any) -> dict[str, object]:
    """Return the journal fields for the controller's answer."""
    if not isinstance(answer, dict):
        return {}
    counts = {
        name: answer[name] for name in ("added", "deleted", "kept") if isinstance(answer.get(name), int)
    }
    refused = answer.get("refused")
    refused = refused if isinstance(refused, list) else []
    number = answer.get("refused_count", len(refused))
    return {
        **counts,
        "refused": number if isinstance(number, int) else len(refused),
        "examples": [printable(str(each), 200) for each in refused[:3]],
    }
