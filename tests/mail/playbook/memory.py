"""What a session has in memory instead of sockets, files and an event loop."""

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from types import coroutine

from services.mail.events import MailEvent
from services.mail.io.wire import BaseWire
from services.mail.relay.ports import Observation, SpoolFull


class Promise:
    """What a driver can wait for besides wires; `keep` lets it go on."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[object], None]] = []
        self.was_cancelled = False

    def add_done_callback(self, callback: Callable[[object], None], /) -> None:
        self._callbacks.append(callback)

    def remove_done_callback(self, callback: Callable[[object], None], /) -> None:
        self._callbacks.remove(callback)

    def cancel(self) -> None:
        self.was_cancelled = True

    def keep(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    @coroutine
    def kept(self) -> Generator["Promise", None, None]:
        yield self


class Turns:
    """What an event loop would call soon, in order."""

    def __init__(self) -> None:
        self._queue: deque[Callable[[], object]] = deque()

    def soon(self, call: Callable[[], object]) -> None:
        self._queue.append(call)

    def settle(self) -> None:
        while self._queue:
            self._queue.popleft()()


class MemoryTransport:
    """The other end of a wire: `hear` gets what was sent."""

    def __init__(self, turns: Turns, wire: BaseWire, hear: Callable[[bytes], None]) -> None:
        self._turns, self._wire, self._hear = turns, wire, hear
        self.is_closed = False
        self.is_reading = True
        self._waiting = b""  # not read by the dialogue yet

    def set_write_buffer_limits(self, high: int) -> None:
        assert high > 0

    def write(self, data: bytes) -> None:
        if not self.is_closed:
            self._hear(data)

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True
        self._turns.soon(lambda: self.receive(b""))

    def receive(self, data: bytes) -> None:
        """Bytes arrive from the peer."""
        self._waiting += data
        if self._waiting and self.is_reading and not self.is_closed:
            data, self._waiting = self._waiting, b""
            self._wire.data_received(data)

    def lose(self, error: Exception | None = None) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._turns.soon(lambda: self._wire.connection_lost(error))

    def close(self) -> None:
        self.lose()

    def abort(self) -> None:
        self.lose()


class MemorySpool:
    def __init__(self, room_bytes: int) -> None:
        self._room_bytes = room_bytes
        self._pieces: list[bytes] = []
        self.is_closed = False

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self._pieces))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(b"".join(self._pieces)).hexdigest()

    def write(self, piece: bytes) -> None:
        if self.size_bytes + len(piece) > self._room_bytes:
            raise SpoolFull("no space left on device")
        self._pieces.append(piece)

    def read(self) -> Iterator[bytes]:
        yield from list(self._pieces)

    def close(self) -> None:
        self._pieces.clear()
        self.is_closed = True


class MemoryJournal:
    def __init__(self) -> None:
        self.events: list[tuple[MailEvent, dict[str, object]]] = []
        self.observations: list[Observation] = []

    def note(
        self, event: MailEvent, facts: Mapping[str, object], observation: Observation | None = None
    ) -> None:
        self.events.append((event, dict(facts)))
        if observation is not None:
            self.observations.append(observation)

    def of(self, *events: MailEvent) -> list[dict[str, object]]:
        return [facts for event, facts in self.events if event in events]
