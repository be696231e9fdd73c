"""The journal of one session: events go to the file, observations to the witness."""

from collections.abc import Callable, Mapping

from common.journal.journal import Journal
from services.mail.events import MailEvent
from services.mail.evidence import Origin
from services.mail.relay.ports import Observation

Observe = Callable[[Observation, Origin], None]


def ignore(_observation: Observation, _origin: Origin) -> None:
    """Ignore the observation: there is no controller for evidence."""


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

    def note(
        self, event: MailEvent, facts: Mapping[str, object], observation: Observation | None = None
    ) -> None:
        self._journal.note(event, facts, self._about)
        if observation is not None:
            self._observe(observation, self._origin)


def _end(origin: Origin, port: int) -> str:
    return f"[{origin.client}]:{port}" if origin.client.version == 6 else f"{origin.client}:{port}"
