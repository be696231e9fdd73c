"""The controller's journal: one JSON line for each event, named in the past tense.

Text that came from outside is escaped by JSON itself and cut to a bounded length.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

_LONGEST_TEXT = 2_000


class Event(StrEnum):
    CONTROLLER_STARTED = "ControllerStarted"
    POLICY_ACCEPTED = "PolicyAccepted"
    POLICY_REFUSED = "PolicyRefused"
    LAST_GOOD_POLICY_KEPT = "LastGoodPolicyKept"
    SWITCH_CONNECTED = "SwitchConnected"
    SWITCH_DISCONNECTED = "SwitchDisconnected"
    UNKNOWN_SWITCH_CONNECTED = "UnknownSwitchConnected"
    SWITCH_READ = "SwitchRead"
    PLAN_SENT = "PlanSent"
    REVISION_CONFIRMED = "RevisionConfirmed"
    PLAN_REFUSED = "PlanRefused"
    PORT_MISSING = "PortMissing"
    PORT_WENT_DOWN = "PortWentDown"
    PORT_CAME_UP = "PortCameUp"
    HOME_MOVED = "HomeMoved"
    CABLING_WRONG = "CablingWrong"
    CABLING_RIGHT = "CablingRight"
    MEMBER_CHANGED = "MemberChanged"
    SESSIONS_CUT = "SessionsCut"
    MEMBER_HELD_DOWN = "MemberHeldDown"
    SESSIONS_FORGOTTEN = "SessionsForgotten"  # by a switch that was started anew
    MEMBER_LEFT = "MemberLeft"
    POOL_BECAME_EMPTY = "PoolBecameEmpty"  # takes nobody: empty, full or joining; with the consequences
    POOL_CAME_BACK = "PoolCameBack"
    DECISION_MADE = "DecisionMade"
    DECISION_ENDED = "DecisionEnded"
    MANY_DECISIONS_CHANGED = "ManyDecisionsChanged"
    DECISIONS_REFUSED = "DecisionsRefused"
    DECISIONS_NOT_STORED = "DecisionsNotStored"
    SOURCE_ALLOWED = "SourceAllowed"
    ALLOWANCE_ENDED = "AllowanceEnded"
    CLIENT_STALE = "ClientStale"  # lags behind its ring's signatures, or is silent
    CLIENT_CURRENT = "ClientCurrent"
    ENGINE_END_OF_LIFE = "EngineEndOfLife"
    CLIENTS_NOT_STORED = "ClientsNotStored"
    SOURCE_CUT = "SourceCut"  # its open sessions, by a decision
    SOURCE_SUSPECTED = "SourceSuspected"  # its score reached a level
    TENANT_FLOODED = "TenantFlooded"  # more first packets come than its limit lets in
    FLOOD_ENDED = "FloodEnded"
    SESSIONS_NOT_COUNTED = "SessionsNotCounted"
    API_NOT_SERVED = "ApiNotServed"
    BAD_MESSAGE_RECEIVED = "BadMessageReceived"
    GATEWAYS_NOT_PUBLISHED = "GatewaysNotPublished"


Write = Callable[..., None]


def _bounded(value: object) -> object:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return value[:_LONGEST_TEXT] + "..."
    return value


class Journal:
    """Writes events to a text stream; a stream that refuses never stops the controller."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, event: Event, **facts: object) -> None:
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": time, "event": event.value, **{name: _bounded(fact) for name, fact in facts.items()}}
        try:
            self._stream.write(json.dumps(line, ensure_ascii=True) + "\n")
            self._stream.flush()
        except OSError:
            return
