"""Handles a dialogue's events: journal lines, uploads in the spool, evidence."""

from dataclasses import dataclass

from common.journal.journal import Journal
from common.journal.line import About
from services.base.evidence import Evidence, EvidencePost
from services.decoy.dialogues.base import Command, Content, Event, Login, Message, Request, Upload
from services.decoy.journal import DecoyEvent
from services.decoy.spool.recordings import Recording, Recordings, Unrecorded
from services.decoy.spool.uploads import Uploads
from services.personas.model import Address

_MOST_RECIPIENTS = 50


@dataclass(frozen=True, slots=True)
class Encounter:
    """An attacker at a decoy: the fields that all events of a session share."""

    tenant: str
    source: Address
    source_port: int
    destination: Address
    port: int
    protocol: str
    session: str
    trace: str

    @property
    def is_probe(self) -> bool:
        """Return whether the decoy's own host asks: switches admit no tenant's address from outside."""
        return self.source == self.destination and not self.source.is_loopback

    def evidence(self, kind: str, detail: str) -> Evidence:
        return Evidence(
            kind=kind,
            source=str(self.source),
            destination=str(self.destination),
            port=self.port,
            transport="tcp",
            detail=detail,
            tenant=self.tenant,
            trace=self.trace,
        )

    def facts(self) -> dict[str, object]:
        return {
            "trace": self.trace,
            "session": self.session,
            "tenant": self.tenant,
            "source": str(self.source),
            "source_port": self.source_port,
            "destination": str(self.destination),
            "port": self.port,
            "transport": "tcp",
            "protocol": self.protocol,
        }


class Notes:
    """The journal, spool and evidence of a decoy."""

    def __init__(
        self, journal: Journal, recordings: Recordings, uploads: Uploads, post: EvidencePost
    ) -> None:
        self.journal, self.recordings, self.uploads, self.post = journal, recordings, uploads, post

    def tell_losses(self) -> None:
        """Report failures of the spool's disk as soon as the journal can be written."""
        lost = self.recordings.lost + self.uploads.lost
        if not lost or self.journal.lost:
            return
        self.journal.write(DecoyEvent.SPOOL_FAILED, count=lost, reason="the spool cannot be written")
        self.journal.flush()
        if not self.journal.lost:
            self.recordings.lost = self.uploads.lost = 0

    def of(self, encounter: Encounter) -> "SessionNotes":
        return SessionNotes(self, encounter)


class SessionNotes:
    """The notes of one session."""

    def __init__(self, notes: Notes, encounter: Encounter) -> None:
        self._notes, self._encounter = notes, encounter
        self._about: About = notes.journal.about(**encounter.facts())
        self.recording: Recording | Unrecorded = (
            Unrecorded()
            if encounter.is_probe
            else notes.recordings.begin(encounter.session, encounter.facts())
        )
        self._write(DecoyEvent.ATTACKER_CONNECTED)
        self._report("decoy-connection", encounter.protocol)

    def take(self, event: Event) -> None:
        match event:
            case Login():
                facts = {"mechanism": event.mechanism, "user": event.user, "password": event.password}
                self._write(DecoyEvent.LOGIN_TRIED, **facts)
                self._report("decoy-login", f"{event.mechanism} {event.user}")
            case Command():
                self._write(DecoyEvent.COMMAND_ENTERED, text=event.text)
                self._report("decoy-command", event.text)
            case Message():
                self._take_message(event)
            case Request():
                self._take_request(event)
            case Upload():
                self._write(DecoyEvent.FILE_UPLOADED, name=event.name, **self._keep(event.content))
                self._report("decoy-upload", event.content.sha256)

    def encrypted(self, protocol: str, cipher: str) -> None:
        self._write(DecoyEvent.ATTACKER_ENCRYPTED, tls=protocol, cipher=cipher)

    def failed(self, error: Exception) -> None:
        self._write(DecoyEvent.DECOY_FAILED, reason=repr(error))

    def closed(self, reason: str, seconds: float, bytes_in: int, bytes_out: int) -> None:
        self.recording.flush()
        facts = {"reason": reason, "seconds": round(seconds, 3), "bytes_in": bytes_in, "bytes_out": bytes_out}
        self._write(DecoyEvent.ATTACKER_DISCONNECTED, recorded=self.recording.is_whole, **facts)

    def _take_message(self, message: Message) -> None:
        recipients = message.recipients[:_MOST_RECIPIENTS]
        facts = {"sender": message.sender, "recipients": recipients, "count": len(message.recipients)}
        self._write(DecoyEvent.MAIL_CAPTURED, **facts, **self._keep(message.content))
        self._report("decoy-upload", f"message {message.content.sha256}")

    def _take_request(self, request: Request) -> None:
        headers = [f"{name}: {value}" for name, value in request.headers]
        kept = self._keep(request.body) if request.body.size else {}
        facts = {"method": request.method, "target": request.target, "headers": headers}
        self._write(DecoyEvent.REQUEST_RECEIVED, **facts, status=request.status, **kept)
        self._report("decoy-command", f"{request.method} {request.target}")
        if request.body.size:
            self._report("decoy-upload", f"{request.method} {request.body.sha256}")

    def _keep(self, content: Content) -> dict[str, object]:
        is_kept = self._notes.uploads.keep(content)
        return {"sha256": content.sha256, "size": content.size, "kept": is_kept}

    def _write(self, event: DecoyEvent, **facts: object) -> None:
        if not self._encounter.is_probe:
            self._notes.journal.write(event, self._about, **facts)

    def _report(self, kind: str, detail: str) -> None:
        if not self._encounter.is_probe:
            self._notes.post.add(self._encounter.evidence(kind, detail))
