"""The journal of one session: each event goes to the file, and evidence to the observer as well."""

from collections.abc import Callable, Mapping

from common.journal.journal import Journal
from services.mail.events import MailEvent
from services.mail.evidence import TELLING, Origin

Observe = Callable[[MailEvent, Mapping[str, object], Origin], None]


def ignore(_event: MailEvent, _facts: Mapping[str, object], _origin: Origin) -> None:
    """Ignore the event: there is no controller for evidence."""


class SessionJournal:
    __slots__ = ("_about", "_journal", "_observe", "_origin")

    def __init__(self, journal: Journal, origin: Origin, client_port: int, observe: Observe) -> None:
        self._journal, self._origin, self._observe = journal, origin, observe
        self._about = journal.about(
            tenant=origin.tenant,
            session=origin.session,
            client=_end(origin, client_port),
            server=str(origin.server),
        )

    def note(self, event: MailEvent, facts: Mapping[str, object]) -> None:
        self._journal.note(event, facts, self._about)
        if event in TELLING:
            self._observe(event, facts, self._origin)


def _end(origin: Origin, port: int) -> str:
    return f"[{origin.client}]:{port}" if origin.client.version == 6 else f"{origin.client}:{port}"
