"""Decisions and allowances that sensors, operators and other programs ask the controller to make."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from common.wire.codec import Versioned
from common.wire.values import Detail, Matching, Name, Range, Transport

_Duration = Annotated[float, Range(0, 10_000_000_000)]


class Action(StrEnum):
    """What a decision does, mildest first. Of two equally close decisions, the stronger one applies."""

    WATCH = "watch"  # only counted
    LIMIT = "limit"  # a limited number of new connections per second, the rest is dropped
    DECOY = "decoy"  # new connections reach decoys, at the tenants' own addresses
    DROP = "drop"


class OpenSessions(StrEnum):
    """What happens to a source's open sessions when a decision about it is made."""

    KEEP = "keep"
    CUT = "cut"  # forgotten by the switches; the decision applies to the source's next packet


@dataclass(frozen=True, slots=True)
class RequestedDecision(Versioned):
    """One requested decision. `value`: an address or prefix. Empty texts and port 0 do not restrict it."""

    value: str
    action: Action
    duration_s: _Duration = 14_400.0
    origin: Name = ""  # empty: the API
    scenario: Name = ""  # empty: made by hand
    reason: Detail = ""
    confidence: Annotated[float, Range(0, 1)] = 1.0
    tenant: Name = ""
    protocol: Transport = ""
    port: Annotated[int, Range(0, 65_535)] = 0
    simulated: bool = False
    sessions: OpenSessions = OpenSessions.KEEP


@dataclass(frozen=True, slots=True)
class RequestedAllowance(Versioned):
    """An address or prefix that always passes, and why. `duration_s` 0: it does not expire."""

    value: str
    comment: Annotated[Detail, Matching("(?s).+", "a comment")]
    duration_s: _Duration = 0.0
