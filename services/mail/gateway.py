"""The running gateway: listens, admits or sheds clients, and gives each session its tenant.

A session keeps the settings with which it began. A settings file with errors changes nothing.
"""

import asyncio
import random
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from common.api import ApiAccess
from common.journal.journal import Journal
from services.base import ipv6
from services.base.daemon import Job, SettingsDaemon
from services.base.events import DaemonEvent
from services.base.evidence import EvidencePost
from services.base.sessions import AGENT_LIMITS, ALL, Sessions
from services.base.settings import Address, SettingsError
from services.base.sockets import OWN_ADDRESSES, end_of, listen
from services.mail.admission import MailCaps, cannot_be_a_client
from services.mail.events import MailEvent
from services.mail.evidence import Origin, Witness
from services.mail.io.certificates import client_context
from services.mail.io.connections import ClientWire, TenantServer, TenantWire
from services.mail.io.driver import Driver
from services.mail.io.journal import SessionJournal, ignore
from services.mail.io.scanners import ClamdScanners
from services.mail.io.spool import FileSpool
from services.mail.io.wire import BaseWire, Outbox, Sweeper
from services.mail.relay import dialogue
from services.mail.relay.health import answer_agent
from services.mail.relay.ports import Dependencies, Observation, Peers, SessionStopped, Spool
from services.mail.relay.session import Session, SessionContext
from services.mail.settings import ClientTls, Settings, Tenant
from services.smtp import catalogue
from services.smtp.catalogue import OwnReply, with_trace

_NO_TRACE = "no session"
_random = random.Random()  # names sessions in journals: must be different, need not be secret


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """`state_dir`: for spool and certificates. `api` None: no evidence is sent. `grace_s`: seconds."""

    settings: Path
    name: str
    caps: MailCaps
    grace_s: float
    state_dir: Path
    api: ApiAccess | None = None


class Gateway(SettingsDaemon[Settings]):
    def __init__(self, options: GatewayOptions, journal: Journal) -> None:
        super().__init__(options.settings, journal)
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._sweeper = Sweeper()
        self._outbox = Outbox(self._loop.call_soon)
        self._shared = Dependencies(
            self._sweeper, ClamdScanners(self._loop, self._sweeper, self._outbox), self._new_spool
        )
        self._witness = Witness()
        self._post = EvidencePost(options.api, journal.write)
        self._tls: dict[str, ssl.SSLContext | None] = {}
        self._drivers: dict[ClientWire, Driver] = {}
        self._sessions = Sessions[ClientWire](self._stop_dialogue)
        self._agents = Sessions[ClientWire](self._stop_dialogue)
        self._is_stopping = False
        self._ended = 0

    # life

    async def start(self) -> None:
        await super().start()
        for sock in listen(self.settings.port, self.settings.transparent):
            await self.serve(self._new_client_wire, sock)
        role, pool, port = self.settings.role.value, self.settings.pool, self.settings.port
        self.journal.write(MailEvent.GATEWAY_STARTED, role=role, pool=pool, port=port)
        ipv6.tell_if_missing(
            self.journal, "mail to tenants' IPv6 addresses; senders use IPv4 if there is an A record"
        )

    def chores(self) -> Mapping[str, Job]:
        chores = {**super().chores(), "deadlines": self._sweeper.run}
        return {**chores, "evidence": self._post.run} if self._options.api else chores

    async def leave(self) -> None:
        """Let sessions finish, then end the rest with a 421."""
        self._is_stopping = True
        await asyncio.sleep(0)  # replies of this moment are sent
        self._ended = await self._sessions.end_all(self._options.grace_s)
        await self._agents.end_all()

    def note_stopped(self) -> None:
        self.journal.write(MailEvent.GATEWAY_STOPPED, sessions_ended=self._ended)

    # settings

    def read(self) -> Settings:
        settings = self.read_record(Settings)
        with suppress(AttributeError):  # the first settings
            before = self.settings
            if (before.port, before.transparent) != (settings.port, settings.transparent):
                raise SettingsError(
                    "port and transparency only change with a restart; remedy: restart the gateway"
                )
        self._options.state_dir.mkdir(parents=True, exist_ok=True)
        return settings

    def describe(self, settings: Settings) -> Mapping[str, object]:
        return {"revision": settings.revision, "tenants": len(settings.tenants)}

    def use(self, settings: Settings) -> None:
        self._tls = {tenant.name: self._tls_for(tenant) for tenant in settings.tenants}
        super().use(settings)

    def _tls_for(self, tenant: Tenant) -> ssl.SSLContext | None:
        """Return the tenant's context, or None without a usable certificate; then there is no STARTTLS."""
        if tenant.tls.clients is ClientTls.OFF:
            return None
        try:
            context, was_made = client_context(self._options.state_dir / "certificates", tenant)
        except (OSError, ssl.SSLError) as error:
            reason = f"certificate of {tenant.name} cannot be used: {error}; no STARTTLS for its clients"
            self.journal.write(DaemonEvent.SETTINGS_REFUSED, tenant=tenant.name, reason=reason)
            return None
        if was_made:
            reason = "self-signed: clients that require a trusted certificate will not encrypt, or not send"
            self.journal.write(MailEvent.CERTIFICATE_MADE, tenant=tenant.name, reason=reason)
        return context

    def _tenant_of(self, server: Address) -> Tenant | None:
        """Return the server's tenant. The switch may know a new server before we have read the settings."""
        if server not in self.settings.tenant_by_server and self.has_changed():
            self.reload_now()
        return self.settings.tenant_by_server.get(server)

    # clients

    def _new_client_wire(self) -> ClientWire:
        return ClientWire(self._loop, self._sweeper, self._outbox, self._on_client, self._forget)

    def _new_tenant_wire(self) -> TenantWire:
        return TenantWire(self._loop, self._sweeper, self._outbox)

    def _new_spool(self) -> Spool:
        return FileSpool(self._options.state_dir)

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
        refusal = self._admit(wire, client[0], tenant)
        if refusal is not None or tenant is None:
            self._send_away(wire, client, server, refusal or catalogue.NO_SUCH_SERVER)
            return
        session = self._session_of(wire, tenant, client, server)
        on_end = partial(self._end_session, wire, session.context.session_id)
        driver = self._drivers[wire] = Driver(dialogue.hold(session), on_end)
        driver.step()

    def _admit(self, wire: ClientWire, client: Address, tenant: Tenant | None) -> OwnReply | None:
        """Count a client's session; return why it gets none, or nothing."""
        if self._is_stopping:
            return catalogue.SHUTTING_DOWN
        if tenant is None:
            return catalogue.NO_SUCH_SERVER
        if cannot_be_a_client(client, tenant, self.settings):
            return catalogue.SOURCE_REFUSED
        of_policy = self.settings.limits.get(self._options.name)
        limits = self._options.caps.limits(client, tenant, of_policy)
        if len(self._sessions) >= limits[ALL]:
            return catalogue.FULL
        return None if self._sessions.admit(wire, limits) else catalogue.TOO_BUSY

    def _session_of(
        self, wire: ClientWire, tenant: Tenant, client: tuple[Address, int], server: Address
    ) -> Session:
        settings = self.settings
        wire.tls = self._tls.get(tenant.name)
        origin = Origin(f"{_random.getrandbits(48):012x}", tenant.name, client[0], server, settings.port)
        context = SessionContext(origin.session, settings, tenant, client[0], wire.tls is not None)
        observe = self._observe if self._options.api else ignore
        journal = SessionJournal(self.journal, origin, client[1], observe)
        target = (server, tenant.server_port)
        way = TenantServer(self._new_tenant_wire, client, target, settings.transparent)
        return Session(self._shared, context, Peers(wire, way, journal))

    def _observe(self, observation: Observation, origin: Origin) -> None:
        if evidence := self._witness.observe(observation, origin, self._sweeper.now):
            self._post.add(evidence)

    def _answer_agent(self, wire: ClientWire) -> None:
        """An agent on this host checks whether the gateway works."""
        if not self._agents.admit(wire, AGENT_LIMITS):
            wire.close()
            return
        answer = answer_agent(wire, self.settings.revision)
        driver = self._drivers[wire] = Driver(answer, partial(self._end_session, wire, ""))
        driver.step()

    def _stop_dialogue(self, wire: ClientWire) -> None:
        if wire in self._drivers:
            self._drivers[wire].end(SessionStopped())
        else:  # it has had its last reply, and does not read it
            wire.abort()

    def _end_session(self, wire: ClientWire, session_id: str, error: BaseException | None) -> None:
        if error is not None:  # a mistake of ours ends one session, never the gateway
            which = {"session": session_id} if session_id else {}
            self.journal.note(MailEvent.GATEWAY_FAILED, {**which, "reason": repr(error)})
        wire.close()
        self._drivers.pop(wire, None)
        self._forget(wire)

    def _forget(self, wire: ClientWire) -> None:
        """A session counts until its dialogue has ended, and nothing of its connection is left."""
        if wire.is_gone and wire not in self._drivers:
            self._sessions.forget(wire)
            self._agents.forget(wire)

    def _send_away(
        self, wire: BaseWire, client: tuple[Address, int], server: Address, refusal: OwnReply
    ) -> None:
        self.turned_away.add(client=str(client[0]), port=client[1], server=str(server), reply=str(refusal))
        wire.write(with_trace(refusal, _NO_TRACE))
        wire.close()
