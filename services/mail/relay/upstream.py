"""The tenant's server as one session sees it: connect, greet, encrypt, ask, and start again if it went away.

One connection for one client's session, under the client's address; never
shared. A reply is only ever paired with the command that it answers: bytes
that come unasked end the connection.
"""

import asyncio
import ssl
from dataclasses import dataclass, field

from services.base.settings import Address
from services.base.sockets import begin_connect, is_connected
from services.mail.io.certificates import server_context
from services.mail.io.wire import Sweeper, Wire, WireClosed, WireTimeout
from services.mail.settings import Tenant
from services.smtp.replies import Reply, ReplyError, take_reply

CONNECT_S = 10.0
SAME_PORT_S = 3.0
# RFC 5321, 4.5.3.2 allows minutes; the client waits for us while we wait for the server.
REPLY_S = 60.0
FINAL_REPLY_S = 120.0
QUIT_S = 2.0


class UpstreamLost(Exception):
    """The server cannot be reached, went away, or makes no sense; `reason` for the journal."""

    def __init__(self, reason: str, is_confused: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.is_confused = reason, is_confused


class NoEncryption(UpstreamLost):
    """The tenant wants encryption towards its server, and there is none."""


@dataclass(slots=True)
class Upstream:
    """Raises `UpstreamLost` from every call that talks to the server."""

    loop: asyncio.AbstractEventLoop
    sweeper: Sweeper
    tenant: Tenant
    client: tuple[Address, int]
    server: Address
    is_transparent: bool
    wire: Wire | None = None
    greeting: Reply | None = None
    capabilities: tuple[str, ...] = ()  # lines after the first, as the server gave them
    is_encrypted: bool = False
    hello: bytes = b""  # the client's own EHLO or HELO argument
    _plain_only: bool = field(default=False)

    @property
    def is_open(self) -> bool:
        return self.wire is not None and not self.wire.is_closed

    async def open(self) -> Reply:
        """Connect and return the server's greeting, whatever it is.

        The greeting is awaited on a socket that is still connecting: whoever reads
        first needs not be told when. A 4-tuple that the server's side still remembers
        must not hang, so the client's own port gets a short try only.
        """
        try:
            greeting = await self._greeting(self.client, SAME_PORT_S)
            if greeting is None:
                greeting = await self._greeting((self.client[0], 0), CONNECT_S)
        except OSError as error:
            raise UpstreamLost(str(error)) from error
        if greeting is None:
            raise UpstreamLost("timed out")
        self.greeting = greeting
        return greeting

    async def _greeting(self, client: tuple[Address, int], within_s: float) -> Reply | None:
        """Return the greeting; None if no connection came about in time. Raise `OSError` if refused."""
        sock, is_own_port = begin_connect(client, (self.server, self.tenant.server_port), self.is_transparent)
        _, self.wire = await self.loop.create_connection(lambda: Wire(self.loop), sock=sock)
        self.sweeper.add(self.wire)
        self.is_encrypted = False
        try:
            if not self.wire.buffer:  # it may have come already
                await self.wire.more(within_s if is_own_port else CONNECT_S)
        except WireTimeout as error:
            if not is_connected(self.wire.transport.get_extra_info("socket")):
                self.close()
                return None
            if self.wire.is_closed:
                raise self._lost(error) from error
        except WireClosed as error:
            if isinstance(self.wire.error, OSError):
                raise self.wire.error from error
            raise self._lost(error) from error
        return await self._reply(REPLY_S)

    async def say_hello(self, line: bytes) -> Reply:
        """Send the client's EHLO or HELO; encrypt first if the tenant wants that and it is possible."""
        self.hello = line
        reply = await self.ask(line)
        if reply.is_positive and line[:4].upper() == b"EHLO":
            self.capabilities = tuple(text.strip() for text in reply.lines[1:])
            if await self._encrypt():
                reply = await self.ask(line)
                self.capabilities = tuple(text.strip() for text in reply.lines[1:])
        elif not reply.is_positive and line[:4].upper() == b"EHLO" and reply.code >= 500:
            reply = await self.ask(b"HELO" + line[4:])  # a server from before RFC 1869
            self.capabilities = ()
        if self.tenant.tls.server in ("require", "verify") and not self.is_encrypted and reply.is_positive:
            raise NoEncryption("the server offers no STARTTLS")
        return reply

    async def ask(self, line: bytes, within_s: float = REPLY_S) -> Reply:
        """Send one command and return its reply."""
        self._write(line + b"\r\n")
        return await self._reply(within_s)

    async def send(self, data: bytes) -> None:
        """Send message bytes, no faster than the server takes them."""
        self._write(data)
        assert self.wire is not None
        try:
            await self.wire.drain(REPLY_S)
        except (WireClosed, WireTimeout) as error:
            raise self._lost(error) from error

    async def final_reply(self) -> Reply:
        return await self._reply(FINAL_REPLY_S)

    def close(self) -> None:
        """Drop the connection; a message that was not ended by its dot was never sent."""
        if self.wire is not None:
            self.sweeper.discard(self.wire)
            self.wire.abort()
            self.wire = None

    def _write(self, data: bytes) -> None:
        if self.wire is None or self.wire.is_closed:
            raise UpstreamLost("the server has closed the connection")
        if self.wire.buffer:
            raise self._lost(ReplyError("the server spoke unasked"))
        self.wire.write(data)

    async def _reply(self, within_s: float) -> Reply:
        assert self.wire is not None
        try:
            while (reply := take_reply(self.wire.buffer)) is None:
                await self.wire.more(within_s)
        except (WireClosed, WireTimeout, ReplyError) as error:
            raise self._lost(error) from error
        return reply

    def _lost(self, error: Exception) -> UpstreamLost:
        self.close()
        if isinstance(error, WireTimeout):
            return UpstreamLost("the server did not answer in time")
        if isinstance(error, ReplyError):
            return UpstreamLost(str(error), is_confused=True)
        return UpstreamLost("the server closed the connection")

    async def _encrypt(self) -> bool:
        """Do STARTTLS as far as the tenant wants it; return whether the connection is encrypted now."""
        wanted = self.tenant.tls.server
        offered = any(text.upper() == "STARTTLS" for text in self.capabilities)
        if wanted == "none" or self._plain_only or self.is_encrypted or not offered:
            return False
        reply = await self.ask(b"STARTTLS")
        if reply.code != 220:
            return False
        try:
            await self._handshake(wanted == "verify")
        except (OSError, ssl.SSLError, WireTimeout, UpstreamLost) as error:
            self.close()
            if wanted != "may":
                raise NoEncryption(f"TLS handshake failed: {error}") from error
            self._plain_only = True  # opportunistic: better in clear than not at all
            await self.open()
            plain = await self.ask(self.hello)
            self.capabilities = tuple(text.strip() for text in plain.lines[1:])
            return False
        self.is_encrypted = True
        return True

    async def _handshake(self, verifies: bool) -> None:
        assert self.wire is not None
        if self.wire.buffer:  # injected in clear, to be taken for encrypted (CVE-2011-0411)
            raise UpstreamLost("the server spoke before the TLS handshake", is_confused=True)
        await self.wire.upgrade(server_context(verifies), None, is_server=False, within_s=REPLY_S)
