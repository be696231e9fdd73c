"""The one loop that calls the runtime, and its queue. Everything else puts work into the queue."""

import logging
from typing import Generic, TypeVar

from ryu.lib import hub

from controller.runtime import Asked, Runtime
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

    def ask(self, asked: Asked[R], /) -> R:
        """Return the result of a command, or raise its error here."""
        pending = _Pending(asked)
        self._queue.put(pending)
        return pending.wait()

    def put(self, event: RuntimeEvent) -> None:
        self._queue.put(event)

    def run(self) -> None:
        """Execute one command or event after the other, until the program ends."""
        while True:
            item = self._queue.get()
            if isinstance(item, _Pending):
                item.carry_out(self._runtime)
            else:
                self._take(item)

    def _take(self, event: RuntimeEvent) -> None:
        try:
            self._runtime.on(event)
        except Exception:
            _LOG.exception("an event could not be handled")
