"""The running gateway: listens, admits or sheds, gives each session its tenant, reloads its settings.

Sessions keep the settings they began with; a bad settings file changes nothing.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common.journal.journal import Journal
from services.base import ipv6
from services.base.events import DaemonEvent
from services.base.evidence import Evidence
from services.base.settings import Address, SettingsError
from services.base.sockets import OWN_ADDRESSES, end_of, listen
from services.base.watched import WatchedFile
from services.mail.events import MailEvent as Event
from services.mail.evidence import Client, Witness
from services.mail.io.certificates import client_context
from services.mail.io.scanners import Scanners
from services.mail.io.wire import Sweeper, Wire, WireTimeout
from services.mail.relay.health import MOST_AT_ONCE, answer_agent
from services.mail.relay.session import Dependencies, Session, SessionContext
from services.mail.settings import Settings, Tenant, parse_settings
from services.smtp import catalogue
from services.smtp.catalogue import with_trace

_POLL_S = 0.5
_NO_TRACE = "no session"


@dataclass(frozen=True, slots=True)
class Caps:
    """How many sessions at once. Past a cap the client hears 421 and tries again later.

    The policy may set a lower total for each gateway, by its name.
    """

    total: int = 5_000
    per_tenant: int = 2_000
    per_client: int = 100
    per_neighbourhood: int = 500  # a /24, or a /64


class Gateway:
    """Raise `SettingsError` or `OSError` from `start`; after that it runs until `stop`."""

    def __init__(
        self, settings_file: Path, journal: Journal, caps: Caps, state_dir: Path | None, name: str
    ) -> None:
        self._file, self._journal = WatchedFile(settings_file), journal
        self._caps, self._state_dir, self._name = caps, state_dir, name
        self._loop = asyncio.get_running_loop()
        self._sweeper = Sweeper(self._loop)
        self._around = Dependencies(self._loop, journal, Scanners(self._loop), self._sweeper)
        self._settings: Settings
        self._tls: dict[str, ssl.SSLContext | None] = {}
        self._open: Counter[object] = Counter()
        self._sessions: set[asyncio.Task[None]] = set()
        self._agents: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.AbstractServer] = []
        self._chores: list[asyncio.Task[None]] = []
        self._is_stopping = False

    def report_to(self, add: Callable[[Evidence], None]) -> None:
        """Have sessions from now on tell what speaks against their clients. `add` must not wait."""
        witness = Witness()

        def observe(event: Event, facts: Mapping[str, object], seen: Client) -> None:
            if evidence := witness.observe(event, facts, seen, self._loop.time()):
                add(evidence)

        self._around = replace(self._around, witness=observe)

    async def start(self) -> None:
        self._take_up(self._read())
        for sock in listen(self._settings.port, self._settings.is_transparent):
            self._servers.append(await self._loop.create_server(self._admit, sock=sock))
        self._chores = [self._loop.create_task(self._sweeper.run()), self._loop.create_task(self._watch())]
        self._journal.write(
            Event.GATEWAY_STARTED,
            role=self._settings.role.value,
            pool=self._settings.pool,
            port=self._settings.port,
        )
        ipv6.tell_if_missing(
            self._journal, "mail to tenants' IPv6 addresses; senders use IPv4 if there is an A record"
        )

    async def stop(self, grace_s: float) -> None:
        """Listen no more, let sessions finish, then end those that are left with a 421."""
        self._is_stopping = True
        for server in self._servers:
            server.close()
        if self._sessions:
            await asyncio.wait(self._sessions, timeout=grace_s)
        left = len(self._sessions)
        for task in tuple(self._sessions):
            task.cancel()
        if self._sessions:
            await asyncio.wait(self._sessions, timeout=2.0)
        for task in (*self._chores, *self._agents):
            task.cancel()
        self._journal.write(Event.GATEWAY_STOPPED, sessions_ended=left)

    def reload(self) -> None:
        """Take up the settings file if it is good; say why if it is not."""
        try:
            settings = self._read()
        except (OSError, SettingsError, UnicodeDecodeError) as error:
            self._journal.write(DaemonEvent.SETTINGS_REFUSED, file=str(self._file.path), reason=str(error))
            return
        if settings.port != self._settings.port or settings.is_transparent != self._settings.is_transparent:
            why = "port and transparency only change with a restart; remedy: restart the gateway"
            self._journal.write(DaemonEvent.SETTINGS_REFUSED, file=str(self._file.path), reason=why)
            return
        self._take_up(settings)

    # settings

    def _read(self) -> Settings:
        settings = parse_settings(self._file.read())
        return replace(settings, state_dir=self._state_dir) if self._state_dir else settings

    def _take_up(self, settings: Settings) -> None:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        self._tls = {tenant.name: self._tls_for(settings, tenant) for tenant in settings.tenants}
        self._journal.write(
            DaemonEvent.SETTINGS_LOADED, revision=settings.revision, tenants=len(settings.tenants)
        )

    def _tls_for(self, settings: Settings, tenant: Tenant) -> ssl.SSLContext | None:
        """Return the tenant's context; without one, STARTTLS is not offered, and that is said."""
        if tenant.tls.clients == "off":
            return None
        try:
            context, was_made = client_context(settings, tenant)
        except (OSError, ssl.SSLError) as error:
            why = f"certificate of {tenant.name} cannot be used: {error}; no STARTTLS for its clients"
            self._journal.write(DaemonEvent.SETTINGS_REFUSED, tenant=tenant.name, reason=why)
            return None
        if was_made:
            why = "self-signed: clients that insist on a trusted name will not encrypt, or not send"
            self._journal.write(Event.CERTIFICATE_MADE, tenant=tenant.name, reason=why)
        return context

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_POLL_S)
            self._reload_if_changed()

    def _reload_if_changed(self) -> None:
        if self._file.has_changed():
            self.reload()

    def _tenant_of(self, server: Address) -> Tenant | None:
        """Return whose server this is. The switch may know a new one before we have looked."""
        if server not in self._settings.tenant_by_server:
            self._reload_if_changed()
        return self._settings.tenant_by_server.get(server)

    # sessions

    def _admit(self) -> Wire:
        return _ClientWire(self._loop, self._on_client)

    def _on_client(self, wire: Wire) -> None:
        name = wire.transport.get_extra_info("peername")
        if name is None:  # gone before we looked
            wire.abort()
            return
        client = end_of(name)
        server = end_of(wire.transport.get_extra_info("sockname"))[0]
        tenant = self._tenant_of(server)
        if tenant is None and server in OWN_ADDRESSES and not self._is_stopping:
            self._answer_agent(wire)
            return
        keys = _keys(client[0], tenant)
        refusal = self._refusal(client[0], tenant, keys)
        if refusal or tenant is None:
            self._refuse(wire, client, server, refusal)
            return
        for key in keys:
            self._open[key] += 1
        self._sweeper.add(wire)
        occasion = SessionContext(self._settings, tenant, client, server, self._tls.get(tenant.name))
        session = Session(self._around, occasion, wire)
        task = self._loop.create_task(self._hold(session, wire, keys))
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    def _answer_agent(self, wire: Wire) -> None:
        """An agent on this host looks whether we live."""
        if len(self._agents) >= MOST_AT_ONCE:
            wire.close()
            return
        task = self._loop.create_task(self._hold_agent(wire))
        self._agents.add(task)
        task.add_done_callback(self._agents.discard)

    async def _hold_agent(self, wire: Wire) -> None:
        self._sweeper.add(wire)
        try:
            await answer_agent(wire, self._settings)
        except WireTimeout:
            pass
        finally:
            wire.close()
            self._sweeper.discard(wire)

    async def _hold(self, session: Session, wire: Wire, keys: tuple[object, ...]) -> None:
        try:
            await session.run()
        except asyncio.CancelledError:
            session.say(catalogue.SHUTTING_DOWN)
        except WireTimeout:
            pass
        except Exception as error:  # a mistake of ours ends one session, never the gateway
            self._journal.write(Event.GATEWAY_FAILED, session=session.session_id, reason=repr(error))
        finally:
            wire.close()
            self._sweeper.discard(wire)
            for key in keys:
                self._open[key] -= 1
                if not self._open[key]:
                    del self._open[key]

    def _refusal(self, client: Address, tenant: Tenant | None, keys: tuple[object, ...]) -> str:
        """Return why this client gets no session, or nothing."""
        if self._is_stopping:
            return catalogue.SHUTTING_DOWN
        if tenant is None:
            return catalogue.NO_SUCH_SERVER
        if _cannot_be_a_client(client, tenant, self._settings):
            return catalogue.SOURCE_REFUSED
        caps = self._caps
        everybody, *others = keys
        if self._open[everybody] >= min(caps.total, self._settings.limits.get(self._name, caps.total)):
            return catalogue.FULL
        limits = (caps.per_tenant, caps.per_client, caps.per_neighbourhood)
        crowded = any(self._open[key] >= limit for key, limit in zip(others, limits, strict=True))
        return catalogue.TOO_BUSY if crowded else ""

    def _refuse(self, wire: Wire, client: tuple[Address, int], server: Address, refusal: str) -> None:
        self._journal.write(
            DaemonEvent.SESSION_REFUSED, client=str(client[0]), server=str(server), reply=refusal
        )
        wire.write(with_trace(refusal, _NO_TRACE))
        wire.close()


def _keys(client: Address, tenant: Tenant | None) -> tuple[object, ...]:
    """Return what a session counts towards: all, its tenant, its client, its client's /24 or /64."""
    neighbourhood = client.packed[: 3 if client.version == 4 else 8]
    return ("all", tenant and tenant.name, client, neighbourhood)


def _cannot_be_a_client(client: Address, tenant: Tenant, settings: Settings) -> bool:
    """Say whether nobody can send mail from there: we would have to speak under that address."""
    if client in settings.refused_sources or client.is_multicast or client.is_unspecified:
        return True
    return settings.is_transparent and any(client in prefix for prefix in tenant.prefixes)


class _ClientWire(Wire):
    """A wire that tells the gateway when it is connected."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_connected: Any) -> None:
        super().__init__(loop)
        self._on_connected = on_connected

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if not transport.is_closing() and self._on_connected is not None:
            on_connected, self._on_connected = self._on_connected, None  # TLS connects a second time
            on_connected(self)
