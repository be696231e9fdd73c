"""All of it together: settings and personas in, Cowries kept, connections served, everything told."""

import asyncio
import contextlib
import secrets
import socket
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from common.api import ApiAccess
from services.base import ipv6
from services.base.evidence import EvidencePost
from services.base.settings import SettingsError
from services.base.watched import WatchedFile
from services.cowrie.acceptor import Front
from services.cowrie.process import Installed
from services.cowrie.reports import Reporting
from services.cowrie.routing import Directory
from services.cowrie.supervisor import Cowries
from services.decoy.admission import Admission, Caps
from services.decoy.events import Encounter, Notes
from services.decoy.journal import DecoyJournal, Event
from services.decoy.listeners import servable, set_ttl
from services.decoy.settings import parse_settings
from services.decoy.spool.recordings import Recordings
from services.decoy.spool.uploads import Uploads
from services.decoy.tenants import Tenants
from services.personas.errors import PersonaErrors
from services.personas.load import load_personas
from services.personas.model import Address

_LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    settings: Path
    personas: Path
    spool: Path
    api: ApiAccess | None
    caps: Caps
    recording_bytes: int
    recording_bytes_per_session: int
    upload_bytes: int
    kept_ready: int


class CowrieService:
    """`start`, `run` until cancelled, `stop`."""

    def __init__(self, options: Options, installed: Installed, journal: DecoyJournal) -> None:
        """Raise `OSError` if there is no spool."""
        self._options = options
        self._journal = journal
        self._post = EvidencePost(options.api, self._tell)
        recordings = Recordings(options.spool, options.recording_bytes, options.recording_bytes_per_session)
        uploads = Uploads(options.spool, options.upload_bytes)
        self._notes = Notes(journal, recordings, uploads, self._post)
        self._reporting = Reporting(self._notes, lambda encounter: self._admission.leave(encounter.source))
        self._admission = Admission(options.caps)
        state = options.spool / "cowrie"
        carry = self._reporting.carry
        self._cowries = Cowries(state, installed, self._tell, carry, kept_ready=options.kept_ready)
        self._directory: Directory
        self._front = Front(self._accept)
        self._watched = WatchedFile(options.settings)
        self._seen_personas: object = None

    def start(self) -> None:
        """Raise `SettingsError`, `PersonaErrors`, `OSError`, `UnicodeDecodeError`."""
        self._follow()
        ipv6.tell_if_missing(self._journal, "SSH and Telnet at tenants' IPv6 addresses")

    async def run(self) -> None:
        posting = asyncio.create_task(self._post.run())
        try:
            while True:
                await asyncio.sleep(_LOOK_EVERY_S)
                try:
                    self._look_around()
                except Exception as error:  # a mistake of ours must not end the watch
                    self._tell(Event.DECOY_FAILED, why=repr(error))
        finally:
            posting.cancel()
            await asyncio.wait([posting])

    def reload(self) -> None:
        """Take up settings and personas; if they are bad, nothing changes."""
        try:
            self._follow()
        except (SettingsError, PersonaErrors, OSError, UnicodeDecodeError) as error:
            self._tell(Event.SETTINGS_REFUSED, why=str(error))

    async def stop(self) -> None:
        self._front.close()
        await self._cowries.stop()
        self._journal.flush()

    def _look_around(self) -> None:
        if self._watched.has_changed() or self._persona_facts() != self._seen_personas:
            self.reload()
        self._reporting.flush()
        if shed := self._admission.take_shed():
            self._tell(Event.SESSIONS_SHED, count=shed)
        self._notes.tell_losses()

    def _follow(self) -> None:
        self._seen_personas = self._persona_facts()
        settings = parse_settings(self._watched.read())
        personas = load_personas(self._options.personas, [tenant.name for tenant in settings.tenants])
        self._directory = Directory(Tenants(settings, personas))
        self._cowries.follow(self._directory, settings.likeness)
        for place, why in self._front.listen_at(servable(self._directory.places())).items():
            self._tell(Event.LISTEN_FAILED, place=str(place), why=why)
        names = [spec.name for spec in self._directory.specs]
        self._tell(Event.SETTINGS_LOADED, revision=settings.revision, cowries=names)

    def _persona_facts(self) -> object:
        """Return what differs whenever a persona file does."""
        with contextlib.suppress(OSError):
            return sorted(
                (path.name, facts.st_mtime_ns, facts.st_ino, facts.st_size)
                for path in self._options.personas.glob("*.yaml")
                for facts in (path.stat(),)
            )
        return self._seen_personas

    def _accept(
        self, accepted: socket.socket, source: Address, source_port: int, here: Address, port: int
    ) -> bool:
        """Serve a connection. False: nobody stands there, or there are too many already."""
        found = self._directory.find(here, port)
        if found is None or not self._admission.enter(source):
            return False
        spec, host, protocol = found
        if host.is_dark:
            set_ttl(accepted, accepted.family, host.ttl_at(port))
        session, trace = secrets.token_hex(8), secrets.token_hex(8)
        encounter = Encounter(spec.tenant, source, source_port, here, port, protocol, session, trace)
        if not self._cowries.take(encounter, spec, accepted):
            self._admission.leave(source)
            return False
        return True

    def _tell(self, event: StrEnum, **facts: object) -> None:
        self._journal.write(event, None, **facts)
