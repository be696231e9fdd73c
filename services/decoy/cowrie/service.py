"""All of it together: settings and personas in, Cowries kept, connections served, everything told."""

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from services.decoy.cowrie.cowries import Cowries, PerSource
from services.decoy.cowrie.directory import Directory
from services.decoy.cowrie.evidence import EvidencePost
from services.decoy.cowrie.front import Front
from services.decoy.cowrie.journal import DecoyJournal
from services.decoy.cowrie.process import Installed
from services.decoy.cowrie.reporting import Reporter
from services.decoy.cowrie.settings import parse_settings
from services.decoy.cowrie.spool import FileSpool
from services.decoy.cowrie.translate import Connection
from services.decoy.persona.errors import PersonaErrors
from services.decoy.persona.load import load_personas
from services.decoy.persona.model import Address
from services.mail.settings import SettingsError
from services.watched import WatchedFile

_LOOK_EVERY_S = 0.5


class Event(StrEnum):
    SETTINGS_LOADED = "SettingsLoaded"
    SETTINGS_REFUSED = "SettingsRefused"
    LISTENING_FAILED = "ListeningFailed"
    SESSIONS_SHED = "SessionsShed"


@dataclass(frozen=True, slots=True)
class Options:
    settings: Path
    personas: Path
    spool: Path
    controller: str = ""
    recordings_bytes: int = 256 * 1024 * 1024
    uploads_bytes: int = 256 * 1024 * 1024
    sessions_of_a_source: int = 20
    kept_ready: int = 8


class CowrieService:
    """`start`, `run` until cancelled, `stop`."""

    def __init__(self, options: Options, installed: Installed, journal: DecoyJournal) -> None:
        """Raise `OSError` if there is no spool."""
        self._options = options
        self._journal = journal
        self._post = EvidencePost(options.controller)
        spool = FileSpool(options.spool, options.recordings_bytes, options.uploads_bytes)
        reporter = Reporter(journal, self._post, spool, self._ended)
        self._sources = PerSource(options.sessions_of_a_source)
        state = options.spool / "cowrie"
        self._cowries = Cowries(state, installed, self._tell, reporter.carry, kept_ready=options.kept_ready)
        self._front = Front(self._accept)
        self._watched = WatchedFile(options.settings)
        self._seen_personas: object = None
        self._shed = 0

    def start(self) -> None:
        """Raise `SettingsError`, `PersonaErrors`, `OSError`, `UnicodeDecodeError`."""
        self._follow()

    async def run(self) -> None:
        posting = asyncio.create_task(self._post.run())
        try:
            while True:
                await asyncio.sleep(_LOOK_EVERY_S)
                self._tell_shed()
                if self._watched.has_changed() or self._persona_facts() != self._seen_personas:
                    self.reload()
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
        await self._post.finish()

    def _follow(self) -> None:
        self._seen_personas = self._persona_facts()
        settings = parse_settings(self._watched.read())
        personas = load_personas(self._options.personas, [tenant.name for tenant in settings.tenants])
        directory = Directory((tenant.prefixes, personas[tenant.name]) for tenant in settings.tenants)
        self._cowries.follow(directory)
        failed = self._front.listen_at(directory.listening())
        for (address, port), why in failed.items():
            self._tell(Event.LISTENING_FAILED, address=str(address), port=port, why=why)
        names = [spec.name for spec in directory.specs]
        self._tell(Event.SETTINGS_LOADED, revision=settings.revision, personas=names)

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
        self, connection: socket.socket, source: Address, source_port: int, here: Address, port: int
    ) -> bool:
        if self._sources.is_full(str(source)):
            self._shed += 1
            return False
        if not self._cowries.take(connection, source, source_port, here, port):
            return False
        self._sources.began(str(source))
        return True

    def _tell_shed(self) -> None:
        if self._shed:
            self._tell(Event.SESSIONS_SHED, count=self._shed)
            self._shed = 0

    def _ended(self, connection: Connection) -> None:
        self._sources.ended(connection.source)

    def _tell(self, event: str, **facts: object) -> None:
        self._journal.note(event, facts)
