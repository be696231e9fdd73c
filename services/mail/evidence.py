"""Evidence against clients, from observations in their sessions. Pure; time is a parameter.

One refused recipient is a typing error; many, in one session or over several, are a dictionary attack.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from common.wire.evidence import ReportedEvidence
from services.base.clamd import Verdict, VerdictKind
from services.base.settings import Address
from services.mail.relay.outcome import ContentFlaw, RejectedByContent
from services.mail.relay.ports import Observation, RecipientRefused, Violation

MANY_RECIPIENTS = 10
_WITHIN_S = 600.0
_MOST_SOURCES = 10_000
_NO_SUCH_RECIPIENT = (550, 551, 553)  # and not 45x: to be greylisted is not evidence


@dataclass(frozen=True, slots=True)
class Origin:
    """Both ends of a session, and the tenant of the server."""

    session: str
    tenant: str
    client: Address
    server: Address
    port: int


@dataclass(slots=True)
class _Tries:
    began_at: float
    count: int = 0


@dataclass
class Witness:
    """Counts refused recipients by source; the oldest source is dropped first."""

    _tries: OrderedDict[object, _Tries] = field(default_factory=OrderedDict)

    def observe(self, observation: Observation, seen: Origin, now: float) -> ReportedEvidence | None:
        """Return the evidence in this observation, if any."""
        match observation:
            case Violation(reason):
                return _evidence("mail-protocol-abuse", reason, seen)
            case Verdict(VerdictKind.INFECTED, detail):
                return _evidence("mail-malware", detail, seen)
            case RejectedByContent(ContentFlaw.BARE_NEWLINES):
                return _evidence("mail-protocol-abuse", "bare newlines in a message", seen)
            case RecipientRefused(code) if code in _NO_SUCH_RECIPIENT:
                return self._count(seen, now)
        return None

    def _count(self, seen: Origin, now: float) -> ReportedEvidence | None:
        source = _neighbourhood(seen.client)
        tries = self._tries.get(source)
        if tries is None or now - tries.began_at > _WITHIN_S:
            self._tries.pop(source, None)
            tries = self._tries[source] = _Tries(now)
            if len(self._tries) > _MOST_SOURCES:
                self._tries.popitem(last=False)
        tries.count += 1
        if tries.count < MANY_RECIPIENTS:
            return None
        del self._tries[source]
        return _evidence("mail-dictionary", f"{MANY_RECIPIENTS} recipients refused", seen)


def _neighbourhood(client: Address) -> object:
    """Return the key of a source: an IPv4 address, or an IPv6 /64."""
    return client.packed[:8] if isinstance(client, IPv6Address) else client


def _evidence(kind: str, detail: str, seen: Origin) -> ReportedEvidence:
    return ReportedEvidence(
        kind=kind,
        source=str(seen.client),
        destination=str(seen.server),
        port=seen.port,
        transport="tcp",
        detail=detail,
        tenant=seen.tenant,
        trace=f"{seen.session:0>16}",
    )
