"""Evidence: what a program on a host observed about a source."""

from dataclasses import dataclass
from typing import Annotated

from common.wire.codec import Versioned
from common.wire.values import Name, Range, Transport

MOST_SEEN = 1_000


@dataclass(frozen=True, slots=True)
class ReportedEvidence(Versioned):
    """One observed fact. `count`: how often since the last report. `detail` may be an attacker's own text."""

    kind: Name
    source: str
    destination: Name = ""
    port: Annotated[int, Range(0, 65_535)] = 0
    transport: Transport = ""
    detail: str = ""
    tenant: Name = ""
    trace: Name = ""
    count: Annotated[int, Range(1, MOST_SEEN)] = 1
