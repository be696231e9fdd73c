"""Runs one dialogue without a task: steps its coroutine whenever the awaited thing has happened.

A dialogue yields a wire, which steps the driver when bytes arrive, or a future (a new connection, a TLS
handshake, a scan), which does so when it is done. A task and a future for each wait would cost the gateway a
tenth of its throughput.
"""

from asyncio import CancelledError
from collections.abc import Callable, Coroutine
from typing import Protocol

from services.mail.io.wire import BaseWire


class Pending(Protocol):
    """The part of a future that a driver needs."""

    def add_done_callback(self, callback: Callable[[object], None], /) -> object: ...
    def remove_done_callback(self, callback: Callable[[object], None], /) -> object: ...
    def cancel(self) -> object: ...


class Driver:
    """`on_end` is called once, with the error that ended the dialogue, if any."""

    __slots__ = ("_coroutine", "_on_end", "_waits_for")

    def __init__(
        self,
        coroutine: Coroutine[BaseWire | Pending, None, None],
        on_end: Callable[[BaseException | None], None],
    ) -> None:
        self._coroutine, self._on_end = coroutine, on_end
        self._waits_for: BaseWire | Pending | None = None

    def step(self, error: Exception | None = None) -> None:
        """Let the dialogue run until it waits again, or ends."""
        self._waits_for = None
        try:
            waits_for = self._coroutine.throw(error) if error else self._coroutine.send(None)
        except StopIteration:
            self._on_end(None)
        except (Exception, CancelledError) as failure:
            self._on_end(failure)
        else:
            self._waits_for = waits_for
            if isinstance(waits_for, BaseWire):
                waits_for.driver = self
            else:
                waits_for.add_done_callback(self._on_done)

    def end(self, error: Exception) -> None:
        """Raise an error in the dialogue where it waits; do nothing if it has ended."""
        waits_for = self._waits_for
        if waits_for is None:
            return
        if isinstance(waits_for, BaseWire):
            waits_for.driver = None
        else:
            waits_for.remove_done_callback(self._on_done)
            waits_for.cancel()
        self.step(error)

    def _on_done(self, future: object) -> None:
        if future is self._waits_for:  # otherwise the dialogue was ended after the future was done
            self.step()
