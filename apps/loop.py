"""The one loop that calls the runtime, and its queue. Everything else puts work into the queue."""

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from ryu.lib import hub

from controller.runtime import Asked, Runtime, StillStarting
from controller.runtime.events import RuntimeEvent

R = TypeVar("R")
_LOG = logging.getLogger("postern.runtime")


class _Pending(Generic[R]):
    """A command in the queue, with a client that waits for the result."""

    def __init__(self, asked: Asked[R]) -> None:
        self._asked = asked
        self._done = hub.Event()
        self._results: list[R] = []
        self._error: Exception | None = None

    def carry_out(self, runtime: Runtime) -> None:
        try:
            self._results.append(runtime.handle(self._asked))
        except Exception as error:
            self._error = error
        self._done.set()

    def wait(self) -> R:
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._results[0]


class RuntimeLoop:
    """`ask` waits for the result; `put` does not. Both may be called from every green thread."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._queue = hub.Queue()
        self._is_started = False

    @property
    def is_idle(self) -> bool:
        return bool(self._queue.empty())

    @property
    def heap(self) -> object:
        """Return what most of the memory belongs to: another object after each compilation."""
        return self._runtime.core.accepted

    def ask(self, asked: Asked[R], /) -> R:
        """Return the result of a command, or raise its error here. Raise `StillStarting` before `start`."""
        if not self._is_started:
            raise StillStarting
        pending = _Pending(asked)
        self._queue.put(pending)
        return pending.wait()

    def put(self, event: RuntimeEvent) -> None:
        self._queue.put(event)

    def start(self, begin: Callable[[Runtime], None]) -> None:
        """Call `begin` with the runtime; events that come meanwhile wait in the queue."""
        hub.sleep(0)  # whatever was spawned before us listens now
        begin(self._runtime)
        self._is_started = True

    def run(self) -> None:
        """Execute one command or event after the other, until the program ends."""
        while True:
            item = self._queue.get()
            if isinstance(item, _Pending):
                item.carry_out(self._runtime)
            else:
                self._take(item)
            if self._queue.empty() or self._runtime.is_overdue:
                self._catch_up()

    def _catch_up(self) -> None:
        try:
            self._runtime.catch_up()
        except Exception:
            _LOG.exception("the switches could not be programmed for the network as it is now")

    def _take(self, event: RuntimeEvent) -> None:
        try:
            self._runtime.on(event)
        except Exception:
            _LOG.exception("an event could not be handled")
