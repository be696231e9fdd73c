"""The tenant's server for one session: connect, greet, encrypt, send commands, and reconnect if it was lost.

There is one connection for one client's session, never shared. A reply is only paired with the command that
it answers: unsolicited bytes end the connection.
"""

from collections.abc import Awaitable

from services.mail.relay import capabilities
from services.mail.relay.ports import (
    Clock,
    HandshakeFailed,
    Server,
    ServerUnreachable,
    ServerWire,
    WireClosed,
    WireTimeout,
)
from services.mail.settings import ServerTls
from services.smtp import catalogue
from services.smtp.replies import Reply, ReplyError, take_reply

# RFC 5321, 4.5.3.2 allows minutes; the client waits for us while we wait for the server.
REPLY_S = 60.0
FINAL_REPLY_S = 120.0
QUIT_S = 2.0
_REQUIRED = (ServerTls.REQUIRE, ServerTls.VERIFY)


class UpstreamLost(Exception):
    """The server cannot be reached, or is lost. The text is for the journal, `reply` for the client."""

    reply = catalogue.SERVER_LOST


class ServerConfused(UpstreamLost):
    """The server's bytes are not a valid reply, not an expected one, or unsolicited."""

    reply = catalogue.SERVER_CONFUSED


class ServerEnded(UpstreamLost):
    """The server has ended the session itself, between two commands; `last` is its last reply."""

    def __init__(self, last: Reply) -> None:
        super().__init__(f"ended by the server: {last.text}")
        self.last = last


class NoEncryption(UpstreamLost):
    """The tenant requires encryption to its server, and it is not available."""

    reply = catalogue.SERVER_NEEDS_TLS


class Upstream:
    """Raises `UpstreamLost` from every call that talks to the server; the connection is closed then."""

    __slots__ = (
        "_clock",
        "_encryption",
        "_is_plain_only",
        "_server",
        "_wire",
        "announced",
        "hello",
        "is_encrypted",
    )

    def __init__(self, server: Server, encryption: ServerTls, clock: Clock) -> None:
        self._server, self._encryption, self._clock = server, encryption, clock
        self._wire: ServerWire | None = None
        self._is_plain_only = False
        self.is_encrypted = False
        self.announced: tuple[str, ...] = ()  # lines of its reply to EHLO, after the first
        self.hello = b""  # the client's own EHLO or HELO

    @property
    def is_open(self) -> bool:
        return self._wire is not None and not self._wire.is_closed

    async def open(self) -> Reply:
        """Connect and return the server's greeting, 2xx, 4xx or 5xx."""
        self.close()
        try:
            self._wire = await self._server.connect()
        except ServerUnreachable as error:
            raise UpstreamLost(str(error)) from error
        return await self._reply(REPLY_S)

    async def say_hello(self, line: bytes) -> Reply:
        """Send the client's EHLO or HELO; encrypt first if the tenant asks for it and it is possible."""
        self.hello, self.announced = line, ()
        reply = await self.ask(line)
        if line[:4].upper() == b"EHLO":
            if reply.is_positive:
                reply = await self._after_ehlo(reply)
            elif reply.code >= 500:
                reply = await self.ask(b"HELO" + line[4:])  # a server from before RFC 1869
        if self._encryption in _REQUIRED and not self.is_encrypted and reply.is_positive:
            raise NoEncryption("the server offers no STARTTLS")
        return reply

    def ask(self, line: bytes, within_s: float = REPLY_S) -> Awaitable[Reply]:
        """Send one command and return its reply: 2xx, 4xx or 5xx."""
        self.send(line + b"\r\n")
        return self._reply(within_s)

    async def ask_data(self) -> Reply:
        """Send DATA and return its reply: 354, 4xx or 5xx."""
        self.send(b"DATA\r\n")
        reply = await self._reply(REPLY_S, is_for_data=True)
        if reply.is_positive:
            raise self._confused(f"{reply.code} as reply to DATA")
        return reply

    def send(self, data: bytes) -> None:
        """Send bytes; `drain` then waits until the server accepts more."""
        wire = self._wire
        if wire is not None and wire.buffer:
            raise self._unasked(wire)
        if wire is None or wire.is_closed:
            raise UpstreamLost("the server has closed the connection")
        wire.write(data)

    async def drain(self) -> None:
        wire = self._wire
        if wire is None or wire.may_write:
            return
        try:
            await wire.drain(REPLY_S)
        except (WireClosed, WireTimeout) as error:
            raise self._lost(error) from error

    async def final_reply(self) -> Reply:
        """Return the reply to the message: 2xx, 4xx or 5xx. A 2xx with another reply is not trusted."""
        reply = await self._reply(FINAL_REPLY_S)
        if reply.is_positive and self._wire is not None and self._wire.buffer:
            raise self._confused("the server sent unsolicited data")
        return reply

    def close(self) -> None:
        """Drop the connection. A message without its final dot was never sent."""
        self.is_encrypted = False
        if self._wire is not None:
            self._wire.abort()
            self._wire = None

    async def _reply(self, within_s: float, is_for_data: bool = False) -> Reply:
        wire = self._wire
        if wire is None:
            raise UpstreamLost("the server has closed the connection")
        due = self._clock.now + within_s  # for the whole reply
        try:
            while (reply := take_reply(wire.buffer)) is None:
                await wire.more(due - self._clock.now)
        except (WireClosed, WireTimeout) as error:
            raise self._lost(error) from error
        except ReplyError as error:
            raise self._confused(str(error)) from error
        if 300 <= reply.code < 400 and not (is_for_data and reply.code == 354):
            raise self._confused(f"intermediate reply: {reply.text}")
        return reply

    def _lost(self, error: WireClosed | WireTimeout) -> UpstreamLost:
        self.close()
        is_slow = isinstance(error, WireTimeout)
        return UpstreamLost(
            "the server did not answer in time" if is_slow else "the server closed the connection"
        )

    def _unasked(self, wire: ServerWire) -> UpstreamLost:
        """Return the error for unsolicited bytes. Only a 421 may be unsolicited (RFC 5321, 3.8)."""
        try:
            reply = take_reply(wire.buffer)
        except ReplyError:
            reply = None
        if reply is None or reply.code != 421 or wire.buffer:
            return self._confused("the server sent unsolicited data")
        self.close()
        return ServerEnded(reply)

    def _confused(self, reason: str) -> ServerConfused:
        self.close()
        return ServerConfused(reason)

    # encryption

    async def _after_ehlo(self, reply: Reply) -> Reply:
        """Encrypt if that is requested and offered; return the reply to the last EHLO."""
        self.announced = capabilities.announced(reply)
        if not self._should_encrypt() or (await self.ask(b"STARTTLS")).code != 220:
            return reply
        try:
            await self._encrypt()
        except HandshakeFailed as error:
            self.close()
            if self._encryption in _REQUIRED:
                raise NoEncryption(f"TLS handshake failed: {error}") from error
            self._is_plain_only = True  # opportunistic: unencrypted is better than not at all
            greeting = await self.open()
            if not greeting.is_positive:
                return greeting
        return await self._ehlo_again()

    def _should_encrypt(self) -> bool:
        if self._encryption is ServerTls.NONE or self._is_plain_only or self.is_encrypted:
            return False
        return any(text.upper() == "STARTTLS" for text in self.announced)

    async def _encrypt(self) -> None:
        wire = self._wire
        if wire is None or wire.buffer:  # injected plaintext (CVE-2011-0411)
            raise HandshakeFailed("the server sent data before the TLS handshake")
        await wire.encrypt(self._encryption is ServerTls.VERIFY, REPLY_S)
        self.is_encrypted = True

    async def _ehlo_again(self) -> Reply:
        reply = await self.ask(self.hello)
        self.announced = capabilities.announced(reply) if reply.is_positive else ()
        return reply
