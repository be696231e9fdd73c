"""The running decoy: listens as settings and personas say, and gives each client a session."""

import asyncio
import secrets
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from common.journal.journal import Journal
from services.base import ipv6
from services.base.sessions import Sessions
from services.base.sockets import end_of
from services.decoy.daemon import DecoyDaemon, DecoyOptions
from services.decoy.dialogues.base import Dialogue
from services.decoy.dialogues.capture import Budget
from services.decoy.dialogues.choose import dialogue_for
from services.decoy.events import Encounter, SessionNotes
from services.decoy.journal import DecoyEvent
from services.decoy.listeners import Endpoint, listen, places_of, servable, set_ttl
from services.decoy.port_filter.kernel import PortFilter
from services.decoy.session import DecoySession
from services.decoy.spool.certificates import Certificates
from services.decoy.tenants import DecoyTarget, Tenants
from services.personas.model import BEGIN_WITH_TLS, BY_COWRIE

_KEPT_IN_MEMORY_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class _Part:
    dialogue: Dialogue
    notes: SessionNotes
    context: ssl.SSLContext | None
    begins_with_tls: bool


class Decoy(DecoyDaemon):
    def __init__(self, options: DecoyOptions, journal: Journal) -> None:
        super().__init__(options, journal)
        self._listening: dict[Endpoint, asyncio.AbstractServer] = {}
        self._failed: frozenset[Endpoint] = frozenset()
        self._port_filter: PortFilter | None = None
        self._sessions = Sessions[DecoySession](lambda session: session.end("the decoy was stopped"))
        self._ended = 0
        self._budget = Budget(_KEPT_IN_MEMORY_BYTES)
        self._certificates = Certificates(options.spool)

    async def start(self) -> None:
        self._open_port_filter()
        await super().start()
        listening, failed = len(self._listening), len(self._failed)
        self.journal.write(DecoyEvent.DECOY_STARTED, listening=listening, failed=failed)
        ipv6.tell_if_missing(self.journal, "decoys at tenants' IPv6 addresses")

    async def leave(self) -> None:
        self._ended = await self._sessions.end_all()

    async def close(self) -> None:
        if self._port_filter is not None:
            self._port_filter.close()

    def note_stopped(self) -> None:
        self.journal.write(DecoyEvent.DECOY_STOPPED, sessions_ended=self._ended)

    async def take_up(self, settings: Tenants) -> None:
        """Close ports before their listener opens."""
        self.settings = settings
        if self._port_filter is not None:
            try:
                self._port_filter.set(settings.port_table())
            except OSError as error:
                self._note_missing_filter(error)
        await self._listen(places_of(settings.personas))
        self.use(settings)

    async def look_around(self) -> None:
        if self._failed:
            await self._listen(places_of(self.settings.personas))
        now = time.monotonic()
        for session in self._sessions:
            session.look_at(now)
        await super().look_around()

    # listeners and closed ports

    async def _listen(self, wanted: Iterable[Endpoint]) -> None:
        places = servable(wanted)
        for place in self._listening.keys() - places:
            self.stop_serving(self._listening.pop(place))
        failed = set()
        for place in sorted(places - self._listening.keys()):
            try:
                server = await self.serve(self._begin_session, listen(place))
            except OSError as error:
                failed.add(place)
                if place not in self._failed:
                    self.journal.write(DecoyEvent.LISTEN_FAILED, place=str(place), reason=str(error))
                continue
            self._listening[place] = server
        self._failed = frozenset(failed)

    def _open_port_filter(self) -> None:
        try:
            self._port_filter = PortFilter()
        except OSError as error:
            self._note_missing_filter(error)

    def _note_missing_filter(self, error: OSError) -> None:
        reason = f"{error}: a closed port is accepted and reset at once if another host has that port open"
        remedy = "run with CAP_NET_ADMIN and CAP_BPF on Linux 5.9 or later"
        self.journal.write(DecoyEvent.PORT_FILTER_MISSING, reason=reason, remedy=remedy)

    # sessions

    def _begin_session(self) -> DecoySession:
        return DecoySession(self.options.caps, self._admit, self._sessions.forget)

    def _admit(self, session: DecoySession, transport: Any) -> _Part | None:
        """Return what this client gets, or None if there is no service there or a limit is reached."""
        peer = transport.get_extra_info("peername")
        if peer is None:  # the client has disconnected already
            return None
        source, source_port = end_of(peer)
        destination, port = end_of(transport.get_extra_info("sockname"))
        standing = self.settings.standing_at(destination, port)
        if standing is None or standing.service.protocol in BY_COWRIE:
            return None
        try:
            context = self._context_for(standing)
        except (OSError, ValueError) as error:
            self.journal.write(
                DecoyEvent.DECOY_FAILED, reason=f"no certificate for {standing.tenant}: {error}"
            )
            return None
        if not self._sessions.admit(session, self.options.caps.limits(source)):
            self.turned_away.add(client=str(source), port=source_port, server=str(destination))
            return None
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
        return _Part(dialogue, self.notes.of(encounter), context, begins_with_tls)

    def _context_for(self, standing: DecoyTarget) -> ssl.SSLContext | None:
        tls = standing.service.tls
        likeness = self.settings.likeness
        return self._certificates.context(likeness, standing.tenant, tls) if tls else None
