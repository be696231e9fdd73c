"""A session's two connections on real sockets: from the client, and to the tenant's server in its name."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from services.base.settings import Address
from services.base.sockets import begin_connect, is_connected
from services.mail.io.certificates import server_context
from services.mail.io.wire import WRITE_BUFFER_BYTES, BaseWire, Outbox, Sweeper
from services.mail.relay.ports import HandshakeFailed, ServerUnreachable, WireClosed, WireTimeout

CONNECT_S = 10.0
SAME_PORT_S = 3.0
GREETING_S = 60.0  # postscreen, for one, lets clients wait; RFC 5321, 4.5.3.2.1 allows minutes


class SocketWire(BaseWire):
    """A wire that can begin to encrypt."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sweeper: Sweeper, outbox: Outbox) -> None:
        super().__init__(sweeper, outbox)
        self._loop = loop

    async def upgrade(self, context: ssl.SSLContext, is_server: bool, within_s: float) -> None:
        """Do a TLS handshake on this connection. Raise `HandshakeFailed`."""
        self._resume_reading()
        self.flush()
        try:
            transport = await self._loop.start_tls(
                self.transport, self, context, server_side=is_server, ssl_handshake_timeout=within_s
            )
        except (OSError, ssl.SSLError) as error:
            raise HandshakeFailed(str(error)) from error
        if transport is None:
            raise HandshakeFailed("connection lost during the TLS handshake")
        self.transport = transport
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)


class ClientWire(SocketWire):
    """From a client; calls `on_connected`, and at its very end `on_gone`. `tls`: for STARTTLS, if offered."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sweeper: Sweeper,
        outbox: Outbox,
        on_connected: Callable[["ClientWire"], None],
        on_gone: Callable[["ClientWire"], None],
    ) -> None:
        super().__init__(loop, sweeper, outbox)
        self._on_connected: Callable[[ClientWire], None] | None = on_connected
        self._on_gone = on_gone
        self.is_gone = False  # nothing of the connection is left
        self.tls: ssl.SSLContext | None = None
        self.answers_after_eof = True

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        on_connected, self._on_connected = self._on_connected, None  # TLS connects a second time
        if on_connected is not None and not transport.is_closing():
            on_connected(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_gone = True
        super().connection_lost(error)
        self._on_gone(self)

    async def encrypt(self, within_s: float) -> str:
        """Do the TLS handshake as a server and return the cipher. Raise `HandshakeFailed`."""
        if self.tls is None:
            raise HandshakeFailed("there is no certificate")
        await self.upgrade(self.tls, True, within_s)
        self.answers_after_eof = False  # TLS ends both directions at once
        cipher = self.transport.get_extra_info("cipher")
        return f"{cipher[1]} {cipher[0]}" if cipher else ""


class TenantWire(SocketWire):
    """To a tenant's server."""

    async def encrypt(self, verifies: bool, within_s: float) -> None:
        """Do the TLS handshake as a client. Raise `HandshakeFailed`."""
        await self.upgrade(server_context(verifies), False, within_s)


class TenantServer:
    """The way to a tenant's server for one client: under its address, and its port if that is free."""

    def __init__(
        self,
        new_wire: Callable[[], TenantWire],
        client: tuple[Address, int],
        server: tuple[Address, int],
        is_transparent: bool,
    ) -> None:
        self._new_wire, self._client, self._server = new_wire, client, server
        self._is_transparent = is_transparent

    async def connect(self) -> TenantWire:
        """Return a connection on which the server has begun to speak. Raise `ServerUnreachable`.

        The greeting is awaited on a socket that is still connecting, which saves a turn of the loop. The
        server's side may still remember this 4-tuple and not answer: the client's own port gets a short try.
        """
        try:
            wire = await self._hear(self._client, SAME_PORT_S)
            if wire is None:
                wire = await self._hear((self._client[0], 0), CONNECT_S)
        except OSError as error:
            raise ServerUnreachable(str(error)) from error
        if wire is None:
            raise ServerUnreachable("timed out")
        return wire

    async def _hear(self, client: tuple[Address, int], within_s: float) -> TenantWire | None:
        """Return the wire; None if no connection came about in time. Raise `OSError` if it was refused."""
        sock, is_own_port = begin_connect(client, self._server, self._is_transparent)
        wire = self._new_wire()
        await asyncio.get_running_loop().create_connection(lambda: wire, sock=sock)
        try:
            if not wire.buffer and not await _is_greeted(wire, within_s if is_own_port else CONNECT_S):
                wire.abort()
                return None
        except WireTimeout as error:
            wire.abort()
            raise ServerUnreachable("the server did not answer in time") from error
        except WireClosed as error:
            if isinstance(wire.error, OSError):
                raise wire.error from error
            raise ServerUnreachable("the server closed the connection") from error
        except BaseException:
            wire.abort()
            raise
        return wire


async def _is_greeted(wire: TenantWire, within_s: float) -> bool:
    """Wait until the server speaks; say whether a connection came about in time. Raise as `more` does."""
    try:
        await wire.more(within_s)
    except WireTimeout:
        if not is_connected(wire.transport.get_extra_info("socket")):
            return False
        await wire.more(GREETING_S - within_s)
    return True
