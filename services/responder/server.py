"""The running responder: listens on every address and runs a dialogue, with a time limit, for each client."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.journal.journal import Journal
from common.journal.line import About
from common.wire.responder import Answer, ResponderSettings, ResponderTenant
from services.base import ipv6
from services.base.daemon import SettingsDaemon
from services.base.sessions import AGENT_LIMITS, AGENT_S, ALL, Sessions
from services.base.settings import Address
from services.base.sockets import OWN_ADDRESSES, end_of, listen
from services.responder.dialogue import PUT_OFF, REFUSED, RefusalDialogue
from services.responder.events import ResponderEvent
from services.smtp import catalogue
from services.smtp.catalogue import OwnReply, with_trace

_REFUSALS = {Answer.TEMPFAIL: PUT_OFF, Answer.REJECT: REFUSED}
_random = random.Random()  # names sessions in the journal: must be different, need not be secret


@dataclass(frozen=True, slots=True)
class ResponderCaps:
    """Over `sessions` concurrent sessions, a client gets 421. After `seconds`, its connection is closed."""

    sessions: int = 1_000
    seconds: float = 30.0


class Responder(SettingsDaemon[ResponderSettings]):
    def __init__(self, settings_file: Path, journal: Journal, caps: ResponderCaps) -> None:
        super().__init__(settings_file, journal)
        self.caps = caps
        self.sessions = Sessions(_ResponderSession.stop)
        self.agents = Sessions(_ResponderSession.stop)
        self._ended = 0

    def read(self) -> ResponderSettings:
        return self.read_record(ResponderSettings)

    def describe(self, settings: ResponderSettings) -> Mapping[str, object]:
        return {"revision": settings.revision, "tenants": len(settings.tenants)}

    async def start(self) -> None:
        await super().start()
        pool, port = self.settings.pool, self.settings.port
        for sock in listen(port, self.settings.transparent):
            await self.serve(lambda: _ResponderSession(self), sock)
        self.journal.write(ResponderEvent.RESPONDER_STARTED, pool=pool, port=port)
        ipv6.tell_if_missing(self.journal, "answers to mail for tenants' IPv6 addresses")

    async def leave(self) -> None:
        """End sessions without a grace period: they are short, and no mail is lost."""
        self._ended = await self.sessions.end_all()

    def note_stopped(self) -> None:
        self.journal.write(ResponderEvent.RESPONDER_STOPPED, sessions_ended=self._ended)

    def tenant_of(self, server: Address) -> ResponderTenant | None:
        """Return the server's tenant. The switch may know a new server before we have read the settings."""
        if server not in self.settings.tenant_by_server and self.has_changed():
            self.reload_now()
        return self.settings.tenant_by_server.get(server)


class _ResponderSession(asyncio.Protocol):
    """One client. Its input is limited to one buffer, the replies to the socket's buffer."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._dialogue: RefusalDialogue | None = None  # None: the client is turned away
        self._about: About

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        name = transport.get_extra_info("peername")
        if name is None:  # the client has disconnected already
            transport.abort()
            return
        client, server = end_of(name), end_of(transport.get_extra_info("sockname"))[0]
        tenant = self._responder.tenant_of(server)
        if tenant is None and server in OWN_ADDRESSES:
            self._answer_agent()
        elif tenant is None:
            self._send_away(client, server, catalogue.NO_SUCH_SERVER)
        elif not self._responder.sessions.admit(self, {ALL: self._responder.caps.sessions}):
            self._send_away(client, server, catalogue.FULL)
        else:
            self._begin(client, server, tenant)

    def _answer_agent(self) -> None:
        if not self._responder.agents.admit(self, AGENT_LIMITS):
            self._transport.close()
            return
        self._converse(RefusalDialogue(PUT_OFF, "agent"), AGENT_S)

    def _begin(self, client: tuple[Address, int], server: Address, tenant: ResponderTenant) -> None:
        trace = f"{_random.getrandbits(48):012x}"
        self._about = self._responder.journal.about(
            tenant=tenant.name,
            session=trace,
            client=str(client[0]),
            port=client[1],
            server=str(server),
            answer=tenant.answer.value,
        )
        self._converse(RefusalDialogue(_REFUSALS[tenant.answer], trace), self._responder.caps.seconds)

    def _converse(self, dialogue: RefusalDialogue, within_s: float) -> None:
        self._dialogue = dialogue
        self._timer = asyncio.get_running_loop().call_later(within_s, self._time_out)
        self._transport.write(dialogue.greet())

    def _send_away(self, client: tuple[Address, int], server: Address, reply: OwnReply) -> None:
        self._responder.turned_away.add(
            client=str(client[0]), port=client[1], server=str(server), reply=str(reply)
        )
        self._transport.write(with_trace(reply, "no session"))
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._dialogue is None or self._transport.is_closing():
            return
        self._transport.write(self._dialogue.feed(data))
        if self._dialogue.is_over:
            self._close(self._dialogue, "done")

    def connection_lost(self, error: Exception | None) -> None:
        if self._dialogue is not None:
            is_fault = error is not None and not isinstance(error, OSError)
            self._close(self._dialogue, f"unexpected error: {error!r}" if is_fault else "client went away")

    def stop(self) -> None:
        self._end(catalogue.SHUTTING_DOWN, "the responder was stopped")

    def _time_out(self) -> None:
        self._end(catalogue.TIMED_OUT, "too slow")

    def _end(self, reply: OwnReply, reason: str) -> None:
        if self._dialogue is not None:
            self._transport.write(self._dialogue.end(reply))
            self._close(self._dialogue, reason)

    def _close(self, dialogue: RefusalDialogue, reason: str) -> None:
        """Close the connection and write the session to the journal, once."""
        self._transport.close()
        self._timer.cancel()
        self._responder.agents.forget(self)
        if not self._responder.sessions.forget(self):
            return
        mail = dialogue.mail.decode("utf-8", "replace")
        facts = {"commands": dialogue.commands, "mail": mail, "reason": reason}
        self._responder.journal.write(ResponderEvent.SESSION_ANSWERED, self._about, **facts)
