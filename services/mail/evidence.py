"""What a session does that speaks against its client, as evidence. Pure; time is a parameter.

Sees the same events as the journal. One refused recipient is a typing error; many, in one session or over
several, are somebody who tries names.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from services.base.evidence import Evidence
from services.base.settings import Address
from services.mail.events import MailEvent as Event
from services.smtp import catalogue

MANY_RECIPIENTS = 10
_WITHIN_S = 600.0
_MOST_SOURCES = 10_000
_TELLING = frozenset(
    {Event.PROTOCOL_VIOLATED, Event.MESSAGE_SCANNED, Event.MESSAGE_REJECTED, Event.RECIPIENT_REFUSED}
)
_NO_SUCH_RECIPIENT = ("550", "551", "553")  # and not 45x: a greylisted client is nobody's enemy


@dataclass(frozen=True, slots=True)
class Client:
    """Whose session it is."""

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
    """Remembers refused recipients by source, the oldest source forgotten first."""

    _tries: OrderedDict[object, _Tries] = field(default_factory=OrderedDict)

    def observe(self, event: Event, facts: Mapping[str, object], seen: Client, now: float) -> Evidence | None:
        """Return what this event says against the client, if anything."""
        if event not in _TELLING:
            return None
        match event:
            case Event.PROTOCOL_VIOLATED:
                return _evidence("mail-protocol-abuse", str(facts.get("reason", "")), seen)
            case Event.MESSAGE_SCANNED if facts.get("verdict") == "infected":
                return _evidence("mail-malware", str(facts.get("detail", "")), seen)
            case Event.MESSAGE_REJECTED if facts.get("reply") == catalogue.BARE_NEWLINE:
                return _evidence("mail-protocol-abuse", "bare newlines in a message", seen)
            case Event.RECIPIENT_REFUSED if str(facts.get("reply", "")).startswith(_NO_SUCH_RECIPIENT):
                return self._count(seen, now)
        return None

    def _count(self, seen: Client, now: float) -> Evidence | None:
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
    """A client has a whole /64 to himself."""
    return client.packed[:8] if isinstance(client, IPv6Address) else client


def _evidence(kind: str, detail: str, seen: Client) -> Evidence:
    return Evidence(
        kind=kind,
        source=str(seen.client),
        destination=str(seen.server),
        port=seen.port,
        transport="tcp",
        detail=detail,
        tenant=seen.tenant,
        trace=f"{seen.session:0>16}",
    )
