"""From evidence to decisions: a score for each source, which decays, and the decisions that it leads to.

The owner of an IPv6 address usually owns its whole /64, so the /64 is the source.
Only evidence that proves its source counts towards a decision: unproven points are
kept separately, for display only, because any host can forge them.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_network

from common.wire.values import network_of
from controller.policy.evidence import EVIDENCE, ONCE_A_DOOR, UNPROVEN
from controller.policy.model import Address, Level, Network, Protocol, Suspicion
from controller.suspicion.decision import Request, Scope

ORIGIN = "postern"
MOST_SOURCES = 100_000
_MOST_LINES = 20
_IPV6_SITE = 64
_MOST_REPEATS = 16
_MOST_DOORS = 64


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observed fact about a source."""

    kind: str
    source: Address
    tenant: str = ""
    destination: str = ""
    port: int = 0
    protocol: Protocol | None = None
    detail: str = ""
    trace: str = ""
    count: int = 1
    is_expected: bool = False  # any source would have done this: noted, but weighs nothing

    @property
    def is_proven(self) -> bool:
        """Only a TCP handshake proves an address: any host may have sent a datagram (BCP 38)."""
        return self.kind not in UNPROVEN and self.protocol in (None, Protocol.TCP)


@dataclass(slots=True)
class SourceRecord:
    """What is known about a source. `level`: 0, or the level of the policy that it reached last."""

    points: float = 0.0
    unproven: float = 0.0
    seen: float = 0.0
    level: int = 0
    decided_until: float = 0.0
    offences: int = 0
    count: int = 0
    lines: list[tuple[float, Evidence]] = field(default_factory=list)  # the latest, each with its time
    doors: set[tuple[str, int]] = field(default_factory=set)  # those counted since the last decision


@dataclass(frozen=True, slots=True)
class Offender:
    """How many decisions the edge has made about a source, and until when (UTC) the last one holds."""

    source: Network
    offences: int
    until: float


@dataclass(frozen=True, slots=True)
class Suspected:
    """A source has reached a level; `request`: the edge's decision."""

    source: Network
    score: float
    level: str
    request: Request
    offences: int  # including this one


def source_of(address: Address) -> Network:
    """Return the network that counts as one source: an IPv4 address, an IPv6 /64."""
    if address.version == 4:
        return network_of(address)
    return ip_network((int(address) >> _IPV6_SITE << _IPV6_SITE, _IPV6_SITE))


class Scores:
    def __init__(self, policy: Suspicion | None = None) -> None:
        self.policy = policy or Suspicion()
        self.by_source: OrderedDict[Network, SourceRecord] = OrderedDict()  # the one seen last is at the end

    def on_evidence(self, now: float, evidence: Iterable[Evidence]) -> list[Suspected]:
        """Count evidence; return the sources that it makes suspicious, with the decisions about them."""
        found = []
        for fact in evidence:
            source = source_of(fact.source)
            record = self._take(source)
            self._count(now, record, fact)
            if suspected := self._judge(now, source, record, fact):
                found.append(suspected)
        return found

    def restore(self, offender: Offender, decided_until: float) -> None:
        """Restore what was stored before a restart; the evidence is not stored."""
        level = 1 if decided_until else 0
        self.by_source[offender.source] = SourceRecord(
            offences=offender.offences, decided_until=decided_until, level=level
        )

    def pardon(self, source: Network) -> None:
        """Forget a source, because the decision that its score led to was deleted."""
        self.by_source.pop(source, None)

    def score_at(self, now: float, source: Network) -> tuple[float, float]:
        """Return (proven, unproven) points of a source."""
        record = self.by_source.get(source)
        if record is None:
            return 0.0, 0.0
        left = self._decay(now - record.seen)
        return record.points * left, record.unproven * left

    def _take(self, source: Network) -> SourceRecord:
        record = self.by_source.pop(source, None) or SourceRecord()
        self.by_source[source] = record
        if len(self.by_source) > MOST_SOURCES:
            self.by_source.popitem(last=False)
        return record

    def _count(self, now: float, record: SourceRecord, fact: Evidence) -> None:
        left = self._decay(now - record.seen) if record.count else 0.0
        weight = self._weight(record, fact)
        record.points = record.points * left + (weight if fact.is_proven else 0)
        record.unproven = record.unproven * left + (0 if fact.is_proven else weight)
        record.seen = now
        record.count += fact.count
        record.lines = [*record.lines[-(_MOST_LINES - 1) :], (now, fact)]

    def _weight(self, record: SourceRecord, fact: Evidence) -> int:
        if fact.is_expected:
            return 0
        usual, _ = EVIDENCE[fact.kind]
        weight = self.policy.weights.get(fact.kind, usual)
        if fact.kind not in ONCE_A_DOOR:
            return weight * fact.count
        door = (fact.destination, fact.port)
        if door in record.doors or len(record.doors) >= _MOST_DOORS:
            return 0
        record.doors.add(door)
        return weight

    def _judge(self, now: float, source: Network, record: SourceRecord, fact: Evidence) -> Suspected | None:
        level, name, number = self._level(record.points)
        if level is None:
            return None
        if now < record.decided_until and number <= record.level:
            return None  # there is a decision; the next one is made when it has ended
        if now >= record.decided_until:
            record.offences += 1
        factor = self.policy.repeat ** min(record.offences - 1, _MOST_REPEATS)
        duration = min(level.duration_s * factor, self.policy.longest_s)
        record.level, record.decided_until = number, now + duration
        record.doors.clear()
        request = self._request(source, record, level, duration, fact)
        return Suspected(source, record.points, name, request, record.offences)

    def _level(self, points: float) -> tuple[Level | None, str, int]:
        if points >= self.policy.hostile.score:
            return self.policy.hostile, "hostile", 2
        if points >= self.policy.suspect.score:
            return self.policy.suspect, "suspect", 1
        return None, "", 0

    def _request(
        self, source: Network, record: SourceRecord, level: Level, duration: float, fact: Evidence
    ) -> Request:
        reason = f"score {record.points:.0f}, last: {fact.kind}" + (
            f" ({fact.detail})" if fact.detail else ""
        )
        return Request(
            Scope(source),
            level.action,
            ORIGIN,
            scenario=fact.kind,
            reason=reason[:200],
            duration_s=duration,
            confidence=min(1.0, record.points / (2 * self.policy.hostile.score)),
            sessions=level.sessions,
            is_simulated=self.policy.is_simulated,
        )

    def _decay(self, elapsed: float) -> float:
        return float(0.5 ** (max(0.0, elapsed) / self.policy.half_life_s))
