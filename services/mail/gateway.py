"""The running gateway: listens, admits or sheds clients, gives each session its tenant, reloads settings.

A session keeps the settings with which it began. A settings file with errors changes nothing.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from common.journal.journal import Journal
from common.wire.codec import Loaded
from services.base import ipv6
from services.base.events import DaemonEvent
from services.base.evidence import Evidence
from services.base.settings import Address, SettingsError, facts_of
from services.base.sockets import BACKLOG, OWN_ADDRESSES, end_of, listen
from services.base.watched import WatchedFile
from services.mail.admission import Admission, Caps, Keys, cannot_be_a_client
from services.mail.events import MailEvent
from services.mail.evidence import Origin, Witness
from services.mail.io.certificates import client_context
from services.mail.io.connections import ClientWire, TenantServer, TenantWire
from services.mail.io.driver import Driver
from services.mail.io.journal import Observe, SessionJournal, ignore
from services.mail.io.scanners import ClamdScanners
from services.mail.io.spool import FileSpool
from services.mail.io.wire import BaseWire, Outbox, Sweeper
from services.mail.relay import dialogue
from services.mail.relay.health import MOST_AT_ONCE, answer_agent
from services.mail.relay.ports import Dependencies, Peers, SessionStopped, Spool
from services.mail.relay.session import Session, SessionContext
from services.mail.settings import Settings, Tenant, parse_settings
from services.smtp import catalogue
from services.smtp.catalogue import with_trace

_POLL_S = 0.5
_NO_TRACE = "no session"
_random = random.Random()  # names sessions in journals: must be different, need not be secret


class Gateway:
    """Raise `SettingsError` or `OSError` from `start`; after that it runs until `stop`."""

    def __init__(
        self, settings_file: Path, journal: Journal, caps: Caps, state_dir: Path | None, name: str
    ) -> None:
        self._file, self._journal = WatchedFile(settings_file), journal
        self._state_dir, self._name = state_dir, name
        self._loop = asyncio.get_running_loop()
        self._sweeper = Sweeper()
        self._outbox = Outbox(self._loop.call_soon)
        self._shared = Dependencies(
            self._sweeper, ClamdScanners(self._loop, self._sweeper, self._outbox), self._new_spool
        )
        self._observe: Observe = ignore
        self._settings: Settings
        self._tls: dict[str, ssl.SSLContext | None] = {}
        self._admission = Admission(caps)
        self._sessions: dict[BaseWire, Driver] = {}
        self._agents: dict[BaseWire, Driver] = {}
        self._emptied = asyncio.Event()
        self._servers: list[asyncio.AbstractServer] = []
        self._chores: list[asyncio.Task[None]] = []
        self._is_stopping = False

    def report_to(self, add: Callable[[Evidence], None]) -> None:
        """Make new sessions report evidence against their clients. `add` must not block."""
        witness = Witness()

        def observe(event: MailEvent, facts: Mapping[str, object], origin: Origin) -> None:
            if evidence := witness.observe(event, facts, origin, self._sweeper.now):
                add(evidence)

        self._observe = observe

    async def start(self) -> None:
        self._take_up(self._read())
        for sock in listen(self._settings.port, self._settings.transparent):
            self._servers.append(
                await self._loop.create_server(self._new_client_wire, sock=sock, backlog=BACKLOG)
            )
        self._chores = [self._loop.create_task(self._sweeper.run()), self._loop.create_task(self._watch())]
        self._journal.write(
            MailEvent.GATEWAY_STARTED,
            role=self._settings.role.value,
            pool=self._settings.pool,
            port=self._settings.port,
        )
        ipv6.tell_if_missing(
            self._journal, "mail to tenants' IPv6 addresses; senders use IPv4 if there is an A record"
        )

    async def stop(self, grace_s: float) -> None:
        """Stop listening, let sessions finish, then end the rest with a 421."""
        self._is_stopping = True
        for server in self._servers:
            server.close()
        await self._until_empty(grace_s)
        left = len(self._sessions)
        for driver in (*self._sessions.values(), *self._agents.values()):
            driver.end(SessionStopped())
        await self._until_empty(2.0)
        for task in self._chores:
            task.cancel()
        self._journal.note(MailEvent.GATEWAY_STOPPED, {"sessions_ended": left})

    async def _until_empty(self, within_s: float) -> None:
        """Wait until all sessions have ended, or time is up; let the loop send their last replies."""
        await asyncio.sleep(0)
        if self._sessions:
            self._emptied.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), within_s)

    def reload(self) -> None:
        """Load the settings file if it is valid; report the reason if it is not."""
        try:
            loaded = self._read()
        except (OSError, SettingsError, UnicodeDecodeError) as error:
            self._journal.write(DaemonEvent.SETTINGS_REFUSED, file=str(self._file.path), reason=str(error))
            return
        settings = loaded.record
        if settings.port != self._settings.port or settings.transparent != self._settings.transparent:
            reason = "port and transparency can only change with a restart; remedy: restart the gateway"
            self._journal.write(DaemonEvent.SETTINGS_REFUSED, file=str(self._file.path), reason=reason)
            return
        self._take_up(loaded)

    # settings

    def _read(self) -> Loaded[Settings]:
        loaded = parse_settings(self._file.read())
        if self._state_dir is None:
            return loaded
        return replace(loaded, record=replace(loaded.record, state_dir=self._state_dir))

    def _take_up(self, loaded: Loaded[Settings]) -> None:
        settings = loaded.record
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        self._tls = {tenant.name: self._tls_for(settings, tenant) for tenant in settings.tenants}
        facts = facts_of(loaded)
        self._journal.write(
            DaemonEvent.SETTINGS_LOADED,
            None,
            revision=settings.revision,
            tenants=len(settings.tenants),
            **facts,
        )

    def _tls_for(self, settings: Settings, tenant: Tenant) -> ssl.SSLContext | None:
        """Return the tenant's context, or None without a usable certificate; then there is no STARTTLS."""
        if tenant.tls.clients == "off":
            return None
        try:
            context, was_made = client_context(settings, tenant)
        except (OSError, ssl.SSLError) as error:
            reason = f"certificate of {tenant.name} cannot be used: {error}; no STARTTLS for its clients"
            self._journal.write(DaemonEvent.SETTINGS_REFUSED, tenant=tenant.name, reason=reason)
            return None
        if was_made:
            reason = "self-signed: clients that require a trusted certificate will not encrypt, or not send"
            self._journal.write(MailEvent.CERTIFICATE_MADE, tenant=tenant.name, reason=reason)
        return context

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_POLL_S)
            self._reload_if_changed()

    def _reload_if_changed(self) -> None:
        if self._file.has_changed():
            self.reload()

    def _tenant_of(self, server: Address) -> Tenant | None:
        """Return the server's tenant. The switch may know a new server before we have read the settings."""
        if server not in self._settings.tenant_by_server:
            self._reload_if_changed()
        return self._settings.tenant_by_server.get(server)

    # sessions

    def _new_client_wire(self) -> ClientWire:
        return ClientWire(self._loop, self._sweeper, self._outbox, self._on_client)

    def _new_tenant_wire(self) -> TenantWire:
        return TenantWire(self._loop, self._sweeper, self._outbox)

    def _new_spool(self) -> Spool:
        return FileSpool(self._settings.state_dir)

    def _on_client(self, wire: ClientWire) -> None:
        name = wire.transport.get_extra_info("peername")
        if name is None:  # the client has disconnected already
            wire.abort()
            return
        client = end_of(name)
        server = end_of(wire.transport.get_extra_info("sockname"))[0]
        tenant = self._tenant_of(server)
        if tenant is None and server in OWN_ADDRESSES and not self._is_stopping:
            self._answer_agent(wire)
            return
        admission = self._admission
        keys = admission.keys_of(client[0], tenant)
        refusal = self._refusal(client[0], tenant, keys)
        if refusal or tenant is None:
            self._refuse(wire, client, server, refusal)
            return
        admission.enter(keys)
        session = self._session_of(wire, tenant, client, server)
        on_end = partial(self._end_session, wire, keys, session.context.session_id)
        driver = self._sessions[wire] = Driver(dialogue.hold(session), on_end)
        driver.step()

    def _session_of(
        self, wire: ClientWire, tenant: Tenant, client: tuple[Address, int], server: Address
    ) -> Session:
        settings = self._settings
        wire.tls = self._tls.get(tenant.name)
        origin = Origin(f"{_random.getrandbits(48):012x}", tenant.name, client[0], server, settings.port)
        context = SessionContext(origin.session, settings, tenant, client[0], wire.tls is not None)
        journal = SessionJournal(self._journal, origin, client[1], self._observe)
        target = (server, tenant.server_port)
        way = TenantServer(self._new_tenant_wire, client, target, settings.transparent)
        return Session(self._shared, context, Peers(wire, way, journal))

    def _end_session(self, wire: BaseWire, keys: Keys, session_id: str, error: BaseException | None) -> None:
        if error is not None:  # a bug of ours ends one session, never the gateway
            facts = {"session": session_id, "reason": repr(error)}
            self._journal.note(MailEvent.GATEWAY_FAILED, facts)
        wire.close()
        self._admission.leave(keys)
        self._sessions.pop(wire, None)
        if not self._sessions:
            self._emptied.set()

    def _answer_agent(self, wire: BaseWire) -> None:
        """An agent on this host checks whether the gateway works."""
        if len(self._agents) >= MOST_AT_ONCE:
            wire.close()
            return
        dialogue_ = answer_agent(wire, self._settings.hostname, self._settings.revision)
        driver = self._agents[wire] = Driver(dialogue_, partial(self._end_agent, wire))
        driver.step()

    def _end_agent(self, wire: BaseWire, error: BaseException | None) -> None:
        if error is not None:
            self._journal.note(MailEvent.GATEWAY_FAILED, {"reason": repr(error)})
        wire.close()
        self._agents.pop(wire, None)

    def _refusal(self, client: Address, tenant: Tenant | None, keys: Keys) -> str:
        """Return why this client is refused, or an empty reply."""
        if self._is_stopping:
            return catalogue.SHUTTING_DOWN
        if tenant is None:
            return catalogue.NO_SUCH_SERVER
        if cannot_be_a_client(client, tenant, self._settings):
            return catalogue.SOURCE_REFUSED
        return self._admission.refusal(keys, self._settings.limits.get(self._name))

    def _refuse(self, wire: BaseWire, client: tuple[Address, int], server: Address, refusal: str) -> None:
        self._journal.write(
            DaemonEvent.SESSION_REFUSED, client=str(client[0]), server=str(server), reply=refusal
        )
        wire.write(with_trace(refusal, _NO_TRACE))
        wire.close()
