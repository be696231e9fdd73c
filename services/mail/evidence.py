"""Evidence against clients, from the events of their sessions. Pure; time is a parameter.

It sees the same events as the journal. One refused recipient is a typing error; many, in one session or over
several, are a dictionary attack.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from common.wire.evidence import ReportedEvidence
from services.base.clamd import VerdictKind
from services.base.settings import Address
from services.mail.events import MailEvent
from services.mail.relay.outcome import ContentFlaw

MANY_RECIPIENTS = 10
_WITHIN_S = 600.0
_MOST_SOURCES = 10_000
TELLING = frozenset(
    {
        MailEvent.PROTOCOL_VIOLATED,
        MailEvent.MESSAGE_SCANNED,
        MailEvent.MESSAGE_REJECTED,
        MailEvent.RECIPIENT_REFUSED,
    }
)
_NO_SUCH_RECIPIENT = ("550", "551", "553")  # and not 45x: to be greylisted is not evidence


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

    def observe(
        self, event: MailEvent, facts: Mapping[str, object], seen: Origin, now: float
    ) -> ReportedEvidence | None:
        """Return the evidence in this event, if any."""
        if event not in TELLING:
            return None
        match event:
            case MailEvent.PROTOCOL_VIOLATED:
                return _evidence("mail-protocol-abuse", str(facts.get("reason", "")), seen)
            case MailEvent.MESSAGE_SCANNED if facts.get("verdict") == VerdictKind.INFECTED:
                return _evidence("mail-malware", str(facts.get("detail", "")), seen)
            case MailEvent.MESSAGE_REJECTED if facts.get("reason") == ContentFlaw.BARE_NEWLINES:
                return _evidence("mail-protocol-abuse", "bare newlines in a message", seen)
            case MailEvent.RECIPIENT_REFUSED if str(facts.get("reply", "")).startswith(_NO_SUCH_RECIPIENT):
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
