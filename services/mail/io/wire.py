"""One connection's bytes: a bounded buffer for input, bounded output, and a deadline.

The dialogue above reads and writes in order, and waits for one wire at a time. One sweeper checks the
deadlines of all wires, which costs less than a timer for each wait. Output is held until the end of the
event loop's turn, so that several replies are sent together.
"""

import asyncio
import time
from collections.abc import Callable, Generator
from types import coroutine
from typing import Any, Protocol

from services.mail.relay.ports import WireClosed, WireTimeout

READ_BUFFER_BYTES = 128 * 1024
WRITE_BUFFER_BYTES = 256 * 1024
_MOST_UNSENT_BYTES = 64 * 1024
_PARTING_S = 30.0
_FOREVER = float("inf")


class Stepper(Protocol):
    """What waits for a wire: a driver."""

    def step(self, error: Exception | None = None) -> None: ...


class BaseWire(asyncio.Protocol):
    # Whether a peer that has closed its sending side (RFC 9293, 3.6) still gets replies.
    answers_after_eof = False

    def __init__(self, sweeper: "Sweeper", outbox: "Outbox") -> None:
        self._sweeper, self._outbox = sweeper, outbox
        self.transport: Any = None
        self.buffer = bytearray()
        self.driver: Stepper | None = None  # waits for this wire
        self.is_closed = False  # nothing more will come
        self._is_lost = False  # nothing more can be sent
        self._is_closing = False
        self.may_write = True
        self.error: Exception | None = None  # why it was lost, if known
        self._bytes_in = 0
        self._deadline = _FOREVER
        self._is_paused = False
        self._unsent = b""

    # the event loop calls these

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._sweeper.wires.add(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._bytes_in += len(data)
        if len(self.buffer) > READ_BUFFER_BYTES and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()
        driver = self.driver
        if driver is not None:  # inlined `_wake`: saves one call per segment
            self.driver = None
            driver.step()

    def eof_received(self) -> bool:
        keeps_open = self.answers_after_eof
        if not keeps_open:
            self.flush()  # the transport closes after sending what it holds
            self._is_lost = True
        self.is_closed = True
        self._wake()
        return keeps_open

    def connection_lost(self, error: Exception | None) -> None:
        self._sweeper.wires.discard(self)
        self.is_closed = self._is_lost = True
        self.error = error
        self._wake()

    def pause_writing(self) -> None:
        self.may_write = False

    def resume_writing(self) -> None:
        self.may_write = True
        self._wake()

    # the dialogue calls these

    @coroutine
    def more(self, within_s: float) -> Generator["BaseWire", None, None]:
        """Wait until there are more bytes in the buffer. Raise `WireClosed` or `WireTimeout`."""
        if self.is_closed:
            raise WireClosed
        if self._is_paused:
            self._resume_reading()
        before = self._bytes_in
        self._deadline = self._sweeper.now + within_s
        while self._bytes_in == before:
            yield self
            if self._bytes_in == before and self.is_closed:
                raise WireClosed

    @coroutine
    def drain(self, within_s: float) -> Generator["BaseWire", None, None]:
        """Wait until the peer has taken enough. Raise `WireClosed` or `WireTimeout`."""
        self._deadline = self._sweeper.now + within_s
        while not self.may_write:
            if self._is_lost:
                raise WireClosed
            yield self

    def write(self, data: bytes) -> None:
        """Send bytes at the end of the event loop's turn, or at once if there are many."""
        if self._is_lost:
            return
        if self._unsent:
            self._unsent += data
        else:
            self._unsent = data
            self._outbox.add(self)
        if len(self._unsent) > _MOST_UNSENT_BYTES:
            self.flush()

    def flush(self) -> None:
        """Pass what was written to the transport."""
        data, self._unsent = self._unsent, b""
        if data:
            self.transport.write(data)

    def close(self) -> None:
        """Send what is written, then close. A peer that has not taken it in time is cut off."""
        self.flush()
        self._is_closing = True
        self._deadline = self._sweeper.now + _PARTING_S
        self.transport.close()

    def abort(self) -> None:
        """Close at once and drop unsent bytes."""
        self.is_closed = self._is_lost = True
        self._unsent = b""
        self.transport.abort()
        self._wake()

    def check_deadline(self, now: float) -> None:
        """Check the deadline; called by the sweeper."""
        if now <= self._deadline:
            return
        driver = self.driver
        if driver is not None:
            self.driver = None
            driver.step(WireTimeout())
        elif self._is_closing:
            self.abort()

    def _resume_reading(self) -> None:
        if self._is_paused and len(self.buffer) <= READ_BUFFER_BYTES:
            self._is_paused = False
            if not self.is_closed:
                self.transport.resume_reading()

    def _wake(self) -> None:
        driver = self.driver
        if driver is not None:
            self.driver = None
            driver.step()


class Sweeper:
    """A clock that ticks twice per second, and then checks the deadlines of all open wires."""

    PERIOD_S = 0.5

    def __init__(self, precise: Callable[[], float] = time.monotonic) -> None:
        self.precise = precise
        self.now = precise()
        self.wires: set[BaseWire] = set()

    def sweep(self) -> None:
        now = self.now = self.precise()
        for wire in tuple(self.wires):
            wire.check_deadline(now)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.PERIOD_S)
            self.sweep()


class Outbox:
    """Wires with unsent output. `call_soon` calls a function at the end of the loop's turn."""

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._wires: list[BaseWire] = []

    def add(self, wire: BaseWire) -> None:
        if not self._wires:
            self._call_soon(self.flush)
        self._wires.append(wire)

    def flush(self) -> None:
        wires, self._wires = self._wires, []
        for wire in wires:
            wire.flush()
