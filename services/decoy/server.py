"""The running decoy: takes up settings and personas, listens where they say, gives each client a session."""

import asyncio
import secrets
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

from common.api import ApiAccess
from services.base import ipv6
from services.base.evidence import EvidencePost
from services.base.settings import SettingsError
from services.base.sockets import end_of
from services.base.watched import WatchedFile
from services.decoy.admission import Admission, Caps
from services.decoy.dialogues.base import Dialogue
from services.decoy.dialogues.capture import Budget
from services.decoy.dialogues.choose import dialogue_for
from services.decoy.events import Encounter, Notes, SessionNotes
from services.decoy.journal import DecoyJournal, Event
from services.decoy.listeners import Place, listen, places_of, servable, set_ttl
from services.decoy.port_filter.kernel import Doorkeeper
from services.decoy.session import Session
from services.decoy.settings import parse_settings
from services.decoy.spool.certificates import Certificates
from services.decoy.spool.recordings import Recordings
from services.decoy.spool.uploads import Uploads
from services.decoy.tenants import Target, Tenants
from services.personas.errors import PersonaErrors
from services.personas.load import load_personas
from services.personas.model import BEGIN_WITH_TLS, BY_COWRIE, Address

_POLL_S = 0.5
_KEPT_IN_MEMORY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """What a decoy is told when it is started."""

    settings: Path
    personas: Path
    spool: Path
    api: ApiAccess | None
    caps: Caps
    upload_bytes: int
    recording_bytes: int
    recording_bytes_per_session: int


@dataclass(slots=True)
class _Part:
    dialogue: Dialogue
    notes: SessionNotes
    context: ssl.SSLContext | None
    begins_with_tls: bool
    source: Address


class Decoy:
    """Raise `SettingsError`, `PersonaErrors` or `OSError` from `start`; then it runs until `stop`."""

    def __init__(self, given: Options, journal: DecoyJournal) -> None:
        self._given, self._journal = given, journal
        self._loop = asyncio.get_running_loop()
        self._file = WatchedFile(given.settings)
        self._personas: dict[str, WatchedFile] = {}
        self._tenants: Tenants
        self._servers: dict[Place, asyncio.AbstractServer] = {}
        self._failed: frozenset[Place] = frozenset()
        self._doorkeeper: Doorkeeper | None = None
        self._admission = Admission(given.caps)
        self._sessions: set[Session] = set()
        self._budget = Budget(_KEPT_IN_MEMORY_BYTES)
        self._certificates = Certificates(given.spool)
        recordings = Recordings(given.spool, given.recording_bytes, given.recording_bytes_per_session)
        uploads = Uploads(given.spool, given.upload_bytes)
        self._post = EvidencePost(given.api, journal.write)
        self._notes = Notes(journal, recordings, uploads, self._post)
        self._chores: list[asyncio.Task[None]] = []
        self._is_due = False  # a reload that was asked for

    async def start(self) -> None:
        self._tenants = self._read()
        self._open_doorkeeper()
        await self._take_up(self._tenants)
        self._chores = [self._loop.create_task(self._watch()), self._loop.create_task(self._post.run())]
        self._journal.write(Event.DECOY_STARTED, listening=len(self._servers), failed=len(self._failed))
        ipv6.tell_if_missing(self._journal, "decoys at tenants' IPv6 addresses")

    def stop(self) -> None:
        for chore in self._chores:
            chore.cancel()
        for server in self._servers.values():
            server.close()
        if self._doorkeeper is not None:
            self._doorkeeper.close()
        left = len(self._sessions)
        for session in tuple(self._sessions):
            session.end("the decoy was stopped")
        self._journal.write(Event.DECOY_STOPPED, sessions_ended=left)
        self._journal.flush()

    def reload(self) -> None:
        """Have settings and personas read again soon."""
        self._is_due = True

    # settings and personas

    def _read(self) -> Tenants:
        settings = parse_settings(self._file.read())
        names = [tenant.name for tenant in settings.tenants]
        files = {name: WatchedFile(self._given.personas / f"{name}.yaml") for name in names}
        for file in files.values():
            file.mark_seen()
        self._personas = files
        return Tenants(settings, load_personas(self._given.personas, names))

    async def _reload(self) -> None:
        """Take up what is good; say why if it is not, and go on as before."""
        self._is_due = False
        try:
            tenants = self._read()
        except (OSError, SettingsError, PersonaErrors, UnicodeDecodeError) as error:
            self._journal.write(Event.SETTINGS_REFUSED, file=str(self._file.path), why=str(error))
            return
        await self._take_up(tenants)

    async def _take_up(self, tenants: Tenants) -> None:
        """Shut doors before a listener appears behind them."""
        self._tenants = tenants
        if self._doorkeeper is not None:
            try:
                self._doorkeeper.set(tenants.doors())
            except OSError as error:
                self._tell_doors_are_open(error)
        await self._listen(places_of(tenants.personas))
        settings = tenants.settings
        self._journal.write(Event.SETTINGS_LOADED, revision=settings.revision, tenants=len(settings.tenants))

    async def _listen(self, wanted: Iterable[Place]) -> None:
        places = servable(wanted)
        for place in self._servers.keys() - places:
            self._servers.pop(place).close()
        failed = set()
        for place in sorted(places - self._servers.keys()):
            try:
                server = await self._loop.create_server(self._begin_session, sock=listen(place))
            except OSError as error:
                failed.add(place)
                if place not in self._failed:
                    self._journal.write(Event.LISTEN_FAILED, place=str(place), why=str(error))
                continue
            self._servers[place] = server
        self._failed = frozenset(failed)

    def _open_doorkeeper(self) -> None:
        try:
            self._doorkeeper = Doorkeeper()
        except OSError as error:
            self._tell_doors_are_open(error)

    def _tell_doors_are_open(self, error: OSError) -> None:
        why = f"{error}: ports that a host has not are opened and reset at once, where another host has them"
        remedy = "run with CAP_NET_ADMIN and CAP_BPF on Linux 5.9 or later"
        self._journal.write(Event.DOORS_OPEN, why=why, remedy=remedy)

    # chores

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_POLL_S)
            try:
                await self._look_around()
            except Exception as error:  # a mistake of ours must not end the watch
                self._journal.write(Event.DECOY_FAILED, why=repr(error))

    async def _look_around(self) -> None:
        if self._is_due or self._file.has_changed() or any(f.has_changed() for f in self._personas.values()):
            await self._reload()
        elif self._failed:
            await self._listen(places_of(self._tenants.personas))
        now = time.monotonic()
        for session in tuple(self._sessions):
            session.look_at(now)
        if shed := self._admission.take_shed():
            self._journal.write(Event.SESSIONS_SHED, count=shed)
        self._notes.tell_losses()

    # sessions

    def _begin_session(self) -> Session:
        return Session(self._given.caps, self._admit, self._forget)

    def _admit(self, session: Session, transport: Any) -> _Part | None:
        """Return what this client gets; nothing where nobody stands, or where he has too many already."""
        peer = transport.get_extra_info("peername")
        if peer is None:  # gone before we looked
            return None
        source, source_port = end_of(peer)
        destination, port = end_of(transport.get_extra_info("sockname"))
        standing = self._tenants.standing_at(destination, port)
        if standing is None or standing.service.protocol in BY_COWRIE:
            return None
        try:
            context = self._context_for(standing)
        except (OSError, ValueError) as error:
            self._journal.write(Event.DECOY_FAILED, why=f"no certificate for {standing.tenant}: {error}")
            return None
        if not self._admission.enter(source):
            return None
        self._sessions.add(session)
        if standing.host.is_dark:
            sock = transport.get_extra_info("socket")
            set_ttl(sock, sock.family, standing.host.ttl_at(standing.service.port))
        session_id, trace = secrets.token_hex(8), secrets.token_hex(8)
        protocol = standing.service.protocol.value
        encounter = Encounter(
            standing.tenant, source, source_port, destination, port, protocol, session_id, trace
        )
        nonce = f"{secrets.randbits(48)}.{int(time.time())}"
        dialogue = dialogue_for(standing.service, self._budget, nonce, lambda: formatdate(usegmt=True))
        begins_with_tls = standing.service.protocol in BEGIN_WITH_TLS
        return _Part(dialogue, self._notes.of(encounter), context, begins_with_tls, source)

    def _context_for(self, standing: Target) -> ssl.SSLContext | None:
        tls = standing.service.tls
        likeness = self._tenants.settings.likeness
        return self._certificates.context(likeness, standing.tenant, tls) if tls else None

    def _forget(self, session: Session) -> None:
        self._sessions.discard(session)
        self._admission.leave(session.source)
