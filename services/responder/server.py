"""The running responder: listens on every address, gives each client a dialogue and a time for it."""

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.journal.journal import Journal
from common.journal.line import About
from services.base import ipv6
from services.base.events import DaemonEvent
from services.base.settings import Address, SettingsError
from services.base.sockets import OWN_ADDRESSES, end_of, listen
from services.base.watched import WatchedFile
from services.responder.dialogue import PUT_OFF, REFUSED, Dialogue
from services.responder.events import ResponderEvent
from services.responder.settings import Answer, Settings, Tenant, parse_settings
from services.smtp import catalogue
from services.smtp.catalogue import with_trace

_POLL_S = 0.5
_MOST_AGENTS, _AGENT_S = 20, 5.0
_REFUSALS = {Answer.TEMPFAIL: PUT_OFF, Answer.REJECT: REFUSED}
_random = random.Random()  # names sessions in the journal: must be different, need not be secret


@dataclass(frozen=True, slots=True)
class Caps:
    """Past `sessions` at once a client hears 421 instead of a greeting; past `seconds` it is hung up on."""

    sessions: int = 1_000
    seconds: float = 30.0


class Responder:
    """Raise `SettingsError` or `OSError` from `start`; after that it runs until `stop`."""

    def __init__(self, settings_file: Path, journal: Journal, caps: Caps) -> None:
        self._file, self.journal, self.caps = WatchedFile(settings_file), journal, caps
        self.loop = asyncio.get_running_loop()
        self.sessions: set[_Session] = set()
        self.agents: set[_Session] = set()  # on this host; not sessions of anybody
        self.shed = 0  # not yet in the journal
        self._settings: Settings
        self._servers: list[asyncio.AbstractServer] = []
        self._chores: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._take_up(parse_settings(self._file.read()))
        for sock in listen(self._settings.port, self._settings.is_transparent):
            self._servers.append(await self.loop.create_server(lambda: _Session(self), sock=sock))
        self._chores = [self.loop.create_task(self._watch())]
        self.journal.write(
            ResponderEvent.RESPONDER_STARTED, pool=self._settings.pool, port=self._settings.port
        )
        ipv6.tell_if_missing(self.journal, "answers to mail for tenants' IPv6 addresses")

    def stop(self) -> None:
        """Listen no more, and end all sessions: they are short, and have nothing to lose."""
        for chore in self._chores:
            chore.cancel()
        for server in self._servers:
            server.close()
        left = tuple(self.sessions)
        for session in left:
            session.end(catalogue.SHUTTING_DOWN, "the responder was stopped")
        self.journal.write(ResponderEvent.RESPONDER_STOPPED, sessions_ended=len(left))
        self.journal.flush()

    def reload(self) -> None:
        """Take up the settings file if it is good; say why if it is not."""
        try:
            settings = parse_settings(self._file.read())
        except (OSError, SettingsError, UnicodeDecodeError) as error:
            self.journal.write(DaemonEvent.SETTINGS_REFUSED, file=str(self._file.path), reason=str(error))
            return
        self._take_up(settings)

    def tenant_of(self, server: Address) -> Tenant | None:
        """Return whose server this is. The switch may know a new one before we have looked."""
        if server not in self._settings.tenant_by_server and self._file.has_changed():
            self.reload()
        return self._settings.tenant_by_server.get(server)

    def _take_up(self, settings: Settings) -> None:
        self._settings = settings
        self.journal.write(
            DaemonEvent.SETTINGS_LOADED, revision=settings.revision, tenants=len(settings.tenants)
        )

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_POLL_S)
            if self._file.has_changed():
                self.reload()
            if self.shed:
                self.journal.write(DaemonEvent.SESSIONS_SHED, count=self.shed)
                self.shed = 0


class _Session(asyncio.Protocol):
    """One client. What it says is held to one piece of memory, what it is told to one socket's buffer."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._dialogue: Dialogue | None = None  # none: it is sent away
        self._about: About

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        name = transport.get_extra_info("peername")
        if name is None:  # gone before we looked
            transport.abort()
            return
        server = end_of(transport.get_extra_info("sockname"))[0]
        tenant = self._responder.tenant_of(server)
        if tenant is None and server in OWN_ADDRESSES:
            self._answer_agent()
        elif len(self._responder.sessions) >= self._responder.caps.sessions:
            self._responder.shed += 1
            self._send_away(catalogue.FULL)
        else:
            self._begin(end_of(name), server, tenant)

    def _answer_agent(self) -> None:
        """An agent on this host looks whether we live; that we are full does not concern it."""
        if len(self._responder.agents) >= _MOST_AGENTS:
            self._transport.close()
            return
        self._responder.agents.add(self)
        self._dialogue = Dialogue(PUT_OFF, "agent")
        self._timer = self._responder.loop.call_later(_AGENT_S, self._time_out)
        self._transport.write(self._dialogue.greet())

    def _begin(self, client: tuple[Address, int], server: Address, tenant: Tenant | None) -> None:
        ends = {"client": str(client[0]), "port": client[1], "server": str(server)}
        if tenant is None:
            about = self._responder.journal.about(**ends)
            self._responder.journal.write(DaemonEvent.SESSION_REFUSED, about, reply=catalogue.NO_SUCH_SERVER)
            self._send_away(catalogue.NO_SUCH_SERVER)
            return
        trace = f"{_random.getrandbits(48):012x}"
        facts = {"tenant": tenant.name, "session": trace, **ends, "answer": tenant.answer.value}
        self._about = self._responder.journal.about(**facts)
        self._dialogue = Dialogue(_REFUSALS[tenant.answer], trace)
        self._responder.sessions.add(self)
        self._timer = self._responder.loop.call_later(self._responder.caps.seconds, self._time_out)
        self._transport.write(self._dialogue.greet())

    def _send_away(self, reply: str) -> None:
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
            self._close(self._dialogue, "client went away")

    def end(self, reply: str, reason: str) -> None:
        if self._dialogue is not None:
            self._transport.write(self._dialogue.end(reply))
            self._close(self._dialogue, reason)

    def _time_out(self) -> None:
        self.end(catalogue.TIMED_OUT, "too slow")

    def _close(self, dialogue: Dialogue, reason: str) -> None:
        """Close, and note it, once."""
        self._transport.close()
        self._timer.cancel()
        self._responder.agents.discard(self)
        if self not in self._responder.sessions:
            return
        self._responder.sessions.discard(self)
        mail = dialogue.mail.decode("utf-8", "replace")
        self._responder.journal.write(
            ResponderEvent.SESSION_ANSWERED, self._about, commands=dialogue.commands, mail=mail, reason=reason
        )
