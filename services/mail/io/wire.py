"""One connection's bytes: a bounded buffer to read from, a bounded way to write to, and a deadline.

A thin layer over asyncio: the dialogue above reads and writes in order, one
waiter at a time. Deadlines are looked at by one sweeper for all wires, which
costs less than a timer for each wait.
"""

import asyncio
import ssl
from typing import Any

READ_BUFFER_BYTES = 128 * 1024
WRITE_BUFFER_BYTES = 256 * 1024
FOREVER = float("inf")


class WireClosed(Exception):
    """The peer has gone; nothing more will come."""


class WireTimeout(Exception):
    """The peer was slower than its deadline."""


class Wire(asyncio.Protocol):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.transport: Any = None
        self.buffer = bytearray()
        self.deadline = FOREVER
        self.is_closed = False
        self.error: Exception | None = None  # why it was lost, if for a reason
        self.bytes_in = 0
        self._waiter: asyncio.Future[None] | None = None
        self._is_paused = False
        self._may_write = True

    # asyncio calls these

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.bytes_in += len(data)
        if len(self.buffer) > READ_BUFFER_BYTES and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self.is_closed = True
        self._wake()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.is_closed, self.error = True, error
        self._wake()

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._wake()

    # the dialogue calls these

    async def more(self, within_s: float) -> None:
        """Wait until more bytes are in the buffer. Raise `WireClosed` or `WireTimeout`."""
        if self.is_closed:
            raise WireClosed
        before = self.bytes_in
        self._resume_reading()
        while self.bytes_in == before:
            await self._wait(within_s)
            if self.bytes_in == before and self.is_closed:
                raise WireClosed

    def write(self, data: bytes) -> None:
        if not self.is_closed:
            self.transport.write(data)

    async def drain(self, within_s: float) -> None:
        """Wait until the peer has taken enough of what was written. Raise `WireTimeout`."""
        while not self._may_write:
            if self.is_closed:
                raise WireClosed
            await self._wait(within_s)

    async def upgrade(
        self, context: ssl.SSLContext, name: str | None, is_server: bool, within_s: float
    ) -> None:
        """Do a TLS handshake on this connection. Raise `WireTimeout`, `ssl.SSLError` or `OSError`."""
        self._resume_reading()
        try:
            self.transport = await self._loop.start_tls(
                self.transport,
                self,
                context,
                server_side=is_server,
                server_hostname=name,
                ssl_handshake_timeout=within_s,
            )
        except TimeoutError as error:
            raise WireTimeout from error
        if self.transport is None:
            raise ConnectionAbortedError("connection lost during the TLS handshake")
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    def close(self) -> None:
        """Send what is written, then close."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Close at once and forget what was not sent."""
        self.is_closed = True
        if self.transport is not None:
            self.transport.abort()
        self._wake()

    def check_deadline(self, now: float) -> None:
        """Called by the sweeper."""
        if now > self.deadline and self._waiter is not None and not self._waiter.done():
            self.deadline = FOREVER
            self._waiter.set_exception(WireTimeout())

    def _resume_reading(self) -> None:
        if self._is_paused and len(self.buffer) <= READ_BUFFER_BYTES:
            self._is_paused = False
            if not self.is_closed:
                self.transport.resume_reading()

    async def _wait(self, within_s: float) -> None:
        self._waiter = self._loop.create_future()
        self.deadline = self._loop.time() + within_s
        try:
            await self._waiter
        finally:
            self._waiter, self.deadline = None, FOREVER

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Sweeper:
    """Looks at the deadlines of all open wires, twice a second."""

    PERIOD_S = 0.5

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._wires: set[Wire] = set()

    def add(self, wire: Wire) -> None:
        self._wires.add(wire)

    def discard(self, wire: Wire) -> None:
        self._wires.discard(wire)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.PERIOD_S)
            now = self._loop.time()
            for wire in tuple(self._wires):
                wire.check_deadline(now)
