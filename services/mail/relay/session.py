"""One session with one client, from its first packet to its last: commands in order, replies in order.

MAIL and RCPT are relayed live, so the tenant's own refusals reach the sender.
What happens to a message is in `transaction`.
"""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from common.journal.journal import Journal
from services.base.settings import Address
from services.mail.events import MailEvent as Event
from services.mail.evidence import Client
from services.mail.io.scanners import Scanners
from services.mail.io.wire import Sweeper, Wire, WireClosed, WireTimeout
from services.mail.relay import capabilities
from services.mail.relay.envelope import Envelope, Recipient
from services.mail.relay.transaction import Transaction
from services.mail.relay.upstream import QUIT_S, NoEncryption, Upstream, UpstreamLost
from services.mail.settings import Settings, Tenant
from services.smtp import catalogue
from services.smtp.catalogue import with_trace
from services.smtp.commands import CommandError, Path, Problem, parse_path, verb_of
from services.smtp.lines import LineError, take_line
from services.smtp.replies import Reply

COMMAND_S = 300.0  # RFC 5321, 4.5.3.2.7
HANDSHAKE_S = 20.0
WRITE_S = 60.0
MAX_ERRORS = 20
MAX_JUNK = 100  # commands that lead nowhere: NOOP, RSET, VRFY
MAX_RECIPIENTS = 1_000
_random = random.Random()  # names sessions in journals: must be different, need not be secret


class Hangup(Exception):
    """The session ends here; `reply` is the last thing the client hears, if anything."""

    def __init__(self, reply: str = "", why: str = "") -> None:
        super().__init__(why or reply)
        self.reply, self.why = reply, why


def _tell_nobody(_event: Event, _facts: Mapping[str, object], _seen: Client) -> None:
    return


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What all sessions share."""

    loop: asyncio.AbstractEventLoop
    journal: Journal
    scanners: Scanners
    sweeper: Sweeper
    witness: Callable[[Event, Mapping[str, object], Client], None] = _tell_nobody


@dataclass(frozen=True, slots=True)
class SessionContext:
    """Who has come to whom, and what holds for them until they part."""

    settings: Settings
    tenant: Tenant
    client: tuple[Address, int]
    server: Address
    tls: ssl.SSLContext | None  # none: STARTTLS is not offered


class Session:
    def __init__(self, around: Dependencies, occasion: SessionContext, wire: Wire) -> None:
        self.around, self.wire = around, wire
        self.settings, self.tenant, self.tls = occasion.settings, occasion.tenant, occasion.tls
        self.client, self.server = occasion.client, occasion.server
        self.session_id = f"{_random.getrandbits(48):012x}"
        self._about = around.journal.about(
            tenant=self.tenant.name,
            session=self.session_id,
            client=_end(self.client),
            server=str(self.server),
        )
        self._seen = Client(
            self.session_id, self.tenant.name, self.client[0], self.server, self.settings.port
        )
        self.messages = 0
        self.is_encrypted = False
        self.upstream = Upstream(
            around.loop,
            around.sweeper,
            self.tenant,
            self.client,
            self.server,
            self.settings.is_transparent,
        )
        self.envelope: Envelope | None = None
        self.offer: tuple[str, ...] = ()
        self._has_greeted = False
        self._is_deferred = False  # the server cannot be reached: everything is answered 451
        self._errors = self._junk = 0
        self._last_was_data_refusal = False

    @property
    def trace(self) -> str:
        return f"{self.session_id}-{self.messages}"

    def note(self, event: Event, **facts: object) -> None:
        self.around.journal.write(event, self._about, **facts)
        self.around.witness(event, facts, self._seen)

    async def run(self) -> None:
        """Hold the whole dialogue; never raises for what a peer did."""
        self.note(Event.SESSION_OPENED)
        why = "quit"
        try:
            await self._greet()
            while True:
                await self._one_command()
        except Hangup as hangup:
            why = str(hangup)
            if hangup.reply:
                self.say(hangup.reply)
        except WireTimeout:
            why = "timed out"
            self.say(catalogue.TIMED_OUT)
        except (WireClosed, ConnectionError):
            why = "client went away"
        finally:
            self.upstream.close()
            self.note(Event.SESSION_CLOSED, reason=why, messages=self.messages, tls=self.is_encrypted)

    def say(self, reply: str) -> None:
        """Send a reply of our own."""
        self.wire.write(with_trace(reply, self.trace))

    def violate(self, reply: str, why: str, **facts: object) -> Hangup:
        """Note a breach of the protocol and return the end of the session."""
        self.note(Event.PROTOCOL_VIOLATED, reason=why, **facts)
        return Hangup(reply, why)

    async def read_line(self) -> bytes:
        while True:
            try:
                line = take_line(self.wire.buffer)
            except LineError as error:
                self.note(Event.PROTOCOL_VIOLATED, reason=str(error))
                self.fail(catalogue.BAD_LINE)
                continue
            if line is not None:
                return line
            await self.wire.drain(WRITE_S)
            await self.wire.more(COMMAND_S)

    def fail(self, reply: str) -> None:
        """Refuse a command, and end the session after too many refusals."""
        self._errors += 1
        self.say(reply)
        if self._errors >= MAX_ERRORS:
            raise self.violate(catalogue.TOO_MANY_ERRORS, "too many errors")

    # the greeting

    async def _greet(self) -> None:
        """Let the tenant's server greet first: what it refuses, the client shall hear from it."""
        if self.wire.buffer:
            raise self.violate(catalogue.SYNC_LOST, "spoke before the greeting")
        try:
            greeting = await self.upstream.open()
        except UpstreamLost as lost:
            self._defer(lost)
            self.wire.write(f"220 {self.settings.hostname} ESMTP\r\n".encode())
            return
        if self.wire.buffer:
            raise self.violate(catalogue.SYNC_LOST, "spoke before the greeting")
        self.wire.write(greeting.wire)
        if not greeting.is_positive:
            raise Hangup(why=f"refused by the server: {greeting.text}")

    def _defer(self, lost: UpstreamLost) -> None:
        self._is_deferred = True
        self.note(Event.SERVER_UNREACHABLE, reason=lost.reason)

    # commands

    async def _one_command(self) -> None:
        line = await self.read_line()
        verb = verb_of(line)
        if self._last_was_data_refusal and verb not in _KNOWN_VERBS:
            raise self.violate(catalogue.SYNC_LOST, "message bytes without 354")
        self._last_was_data_refusal = False
        handler = _HANDLERS.get(verb)
        if handler is None:
            self.fail(catalogue.NOT_IMPLEMENTED if verb in _NOT_OFFERED else catalogue.UNKNOWN_COMMAND)
            return
        try:
            await handler(self, line)
        except NoEncryption as lost:
            self._close_transaction()
            self.note(Event.SERVER_UNREACHABLE, reason=lost.reason)
            self.say(catalogue.SERVER_NEEDS_TLS)
            self._is_deferred = True
        except UpstreamLost as lost:
            self._close_transaction()
            self.note(Event.SERVER_UNREACHABLE, reason=lost.reason)
            self.say(catalogue.SERVER_CONFUSED if lost.is_confused else catalogue.SERVER_LOST)
            raise Hangup(why=lost.reason) from lost

    async def _hello(self, line: bytes) -> None:
        if not line[5:].strip() or not line.isascii():
            return self.fail(catalogue.BAD_ARGUMENT)
        self._close_transaction()
        if self._is_deferred:
            self._has_greeted = True
            self.wire.write(f"250 {self.settings.hostname}\r\n".encode())
            return None
        reply = await self.upstream.say_hello(line)
        if not reply.is_positive:
            self.wire.write(reply.wire)
            return None
        self._has_greeted = True
        if verb_of(line) == "HELO":
            self.offer = ()
            self.wire.write(reply.wire)
            return None
        self.offer = capabilities.offered(self.upstream.capabilities, self.tenant, self.is_encrypted)
        if not self.tls:
            self.offer = tuple(text for text in self.offer if text != "STARTTLS")
        self.wire.write(capabilities.encode_ehlo(reply.lines[0], self.offer))
        return None

    async def _mail(self, line: bytes) -> None:
        if not self._has_greeted:
            return self.fail(catalogue.NEED_HELO)
        if self.tenant.tls.clients == "require" and not self.is_encrypted:
            return self.fail(catalogue.NEED_TLS)
        if self.envelope is not None:
            return self.fail(catalogue.NESTED_MAIL)
        path = self._parse(line)
        if path is None:
            return None
        if path.size_bytes > capabilities.size_limit(self.offer, self.tenant):
            return self.fail(catalogue.TOO_BIG)
        self.messages += 1
        if self._is_deferred:
            return self.say(catalogue.SERVER_UNREACHABLE)
        reply = await self._relay(line)
        if reply.is_positive:
            self.envelope = Envelope(path, line)
        return None

    async def _rcpt(self, line: bytes) -> None:
        if self._is_deferred:
            return self.say(catalogue.SERVER_UNREACHABLE)
        if self.envelope is None:
            return self.fail(catalogue.NEED_MAIL)
        if len(self.envelope.recipients) >= MAX_RECIPIENTS:
            return self.say(catalogue.TOO_MANY_RECIPIENTS)
        path = self._parse(line)
        if path is None:
            return None
        reply = await self._relay(line)
        if reply.is_positive:
            self.envelope.recipients.append(Recipient(path, line))
        else:
            self.envelope.were_refused += 1
            self.note(Event.RECIPIENT_REFUSED, trace=self.trace, recipient=path.address, reply=reply.text)
        return None

    def _parse(self, line: bytes) -> Path | None:
        try:
            return parse_path(line, capabilities.extensions(self.offer))
        except CommandError as error:
            if error.problem is Problem.CONTROL:
                self.note(Event.PROTOCOL_VIOLATED, reason="control character in a command")
            self.fail(catalogue.BY_PROBLEM[error.problem])
            return None

    async def _relay(self, line: bytes) -> Reply:
        """Pass a command on as it came, and the server's reply back as it came."""
        reply = await self.upstream.ask(line)
        if reply.is_intermediate:
            raise UpstreamLost(f"intermediate reply to a command: {reply.text}", is_confused=True)
        self.wire.write(reply.wire)
        if reply.code == 421:
            raise Hangup(why=f"ended by the server: {reply.text}")
        return reply

    async def _data(self, line: bytes) -> None:
        if line[4:].strip():
            return self.fail(catalogue.BAD_ARGUMENT)
        if self._is_deferred:
            return self.say(catalogue.SERVER_UNREACHABLE)
        if self.envelope is None or not self.envelope.recipients:
            self._last_was_data_refusal = True
            return self.fail(catalogue.NEED_RCPT if self.envelope else catalogue.NEED_MAIL)
        if self.wire.buffer:  # RFC 2920, 3.1: DATA ends a group, the client must wait for 354
            raise self.violate(catalogue.SYNC_LOST, "spoke between DATA and 354")
        envelope, self.envelope = self.envelope, None
        await Transaction(self, envelope).run()
        return None

    async def _rset(self, line: bytes) -> None:
        self._count_junk()
        self._close_transaction()
        if self._is_deferred or not self.upstream.is_open:
            return self.wire.write(b"250 2.0.0 ok\r\n")
        await self._relay(line)
        return None

    async def _noop(self, _line: bytes) -> None:
        self._count_junk()
        self.wire.write(b"250 2.0.0 ok\r\n")

    async def _vrfy(self, _line: bytes) -> None:
        self._count_junk()
        self.say(catalogue.CANNOT_VERIFY)

    async def _help(self, _line: bytes) -> None:
        self._count_junk()
        self.say(catalogue.HELP)

    async def _quit(self, line: bytes) -> None:
        farewell = None
        if self.upstream.is_open:
            try:
                farewell = await self.upstream.ask(line, QUIT_S)
            except UpstreamLost:
                farewell = None
        if farewell is not None:
            self.wire.write(farewell.wire)
        else:
            self.say(catalogue.BYE)
        raise Hangup(why="quit")

    async def _bdat(self, _line: bytes) -> None:
        """Never offered (RFC 3030). Its bytes must not be taken for commands, so the session ends."""
        raise self.violate(catalogue.NOT_IMPLEMENTED, "BDAT was not offered")

    async def _starttls(self, line: bytes) -> None:
        if line[8:].strip():
            return self.fail(catalogue.BAD_ARGUMENT)
        if self.tls is None or self.is_encrypted or self.envelope is not None or not self._has_greeted:
            return self.fail(catalogue.OUT_OF_ORDER)
        if self.wire.buffer:  # sent in clear, to be taken for encrypted (CVE-2011-0411)
            raise self.violate("", "plaintext behind STARTTLS")
        self.say(catalogue.READY_FOR_TLS)
        try:
            await self.wire.upgrade(self.tls, None, is_server=True, within_s=HANDSHAKE_S)
        except (OSError, ssl.SSLError, WireTimeout) as error:
            raise Hangup(why=f"TLS handshake failed: {error}") from error
        self.is_encrypted = True
        self._has_greeted, self.offer = False, ()
        self.note(Event.SESSION_ENCRYPTED, cipher=self._cipher())
        return None

    def _cipher(self) -> str:
        cipher = self.wire.transport.get_extra_info("cipher")
        return f"{cipher[1]} {cipher[0]}" if cipher else ""

    def _count_junk(self) -> None:
        self._junk += 1
        if self._junk > MAX_JUNK:
            raise self.violate(catalogue.TOO_MANY_ERRORS, "too many commands that lead nowhere")

    def _close_transaction(self) -> None:
        self.envelope = None


_HANDLERS: dict[str, Callable[[Session, bytes], Awaitable[None]]] = {
    "EHLO": Session._hello,
    "HELO": Session._hello,
    "MAIL": Session._mail,
    "RCPT": Session._rcpt,
    "DATA": Session._data,
    "RSET": Session._rset,
    "NOOP": Session._noop,
    "VRFY": Session._vrfy,
    "HELP": Session._help,
    "QUIT": Session._quit,
    "STARTTLS": Session._starttls,
    "BDAT": Session._bdat,
}
_NOT_OFFERED = frozenset(
    {"AUTH", "EXPN", "ETRN", "XCLIENT", "XFORWARD", "BURL", "TURN", "SEND", "SOML", "SAML"}
)
_KNOWN_VERBS = _NOT_OFFERED | _HANDLERS.keys()


def _end(end: tuple[Address, int]) -> str:
    return f"[{end[0]}]:{end[1]}" if end[0].version == 6 else f"{end[0]}:{end[1]}"
