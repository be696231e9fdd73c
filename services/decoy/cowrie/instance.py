"""One persona's Cowrie kept alive: started again when it dies, killed when it hangs, fed with connections."""

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum

from services.decoy.cowrie.home import Home
from services.decoy.cowrie.process import Cowrie, Installed
from services.decoy.cowrie.spec import Spec
from services.decoy.cowrie.translate import Connection, Outcome, Translator

# Doubled with each death that follows soon, up to the last.
_BACKOFF_S = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
_HEALTHY_AFTER_S = 60.0
_PING_EVERY_S = 5.0
# Cowrie gives up parsing one input after 10 s; nothing else may keep it so long.
_HUNG_AFTER_S = 30.0
_MOST_WAITING = 50
_LONGEST_WAIT_S = 15.0
_STATE_QUOTA_BYTES = 256 * 1024 * 1024


class Event(StrEnum):
    COWRIE_STARTED = "CowrieStarted"
    COWRIE_DIED = "CowrieDied"
    COWRIE_STOPPED = "CowrieStopped"


Tell = Callable[..., None]  # (event, **facts): into the journal
Carry = Callable[[Iterable[Outcome], Home], None]


class Instance:
    """`run` until cancelled; `take` at any time."""

    def __init__(self, spec: Spec, home: Home, installed: Installed, tell: Tell, carry: Carry) -> None:
        self.spec = spec
        self._home = home
        self._installed = installed
        self._tell = tell
        self._carry = carry
        self._cowrie: Cowrie | None = None
        self._translator = Translator()
        self._waiting: deque[tuple[float, Connection, socket.socket]] = deque()
        self._deaths = 0
        self._heard_at = 0.0
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        return self._cowrie.pid if self._cowrie else None

    def take(self, connection: Connection, accepted: socket.socket) -> bool:
        """Have Cowrie serve a connection, as soon as it can. False: it has too many."""
        if self._translator.is_full() or len(self._waiting) >= _MOST_WAITING:
            return False
        self._carry(self._translator.expect(connection), self._home)
        if self._cowrie is None:
            self._waiting.append((time.monotonic(), connection, accepted))
        else:
            self._hand_over(self._cowrie, connection, accepted)
        return True

    async def run(self) -> None:
        try:
            while True:
                began = time.monotonic()
                await self._live_once()
                self._deaths = 0 if time.monotonic() - began > _HEALTHY_AFTER_S else self._deaths + 1
                await asyncio.sleep(_BACKOFF_S[min(self._deaths, len(_BACKOFF_S)) - 1 if self._deaths else 0])
                self._drop_waiting(_LONGEST_WAIT_S)
        finally:
            self._drop_waiting(0.0)

    async def _live_once(self) -> None:
        """Start Cowrie, and serve until it is gone."""
        began = time.monotonic()
        try:
            self._home.prepare(self.spec, self.spec.host)
            cowrie = await Cowrie.start(self._installed, self._home.path)
        except OSError as error:
            self._tell(Event.COWRIE_DIED, persona=self.spec.name, why=f"cannot be started: {error}")
            return
        watching = asyncio.create_task(self._watch(cowrie))
        why = "it ended by itself"
        try:
            async for event in cowrie.events():
                self._heard_at = time.monotonic()
                if event.get("eventid") == "postern.ready":
                    self._tell(
                        Event.COWRIE_STARTED,
                        persona=self.spec.name,
                        pid=cowrie.pid,
                        seconds=round(time.monotonic() - began, 3),
                    )
                    self._open(cowrie)
                else:
                    self._carry(self._translator.hear(event), self._home)
        except asyncio.CancelledError:
            why = ""
            raise
        finally:
            self._cowrie = None
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                why = await watching or why
            self._carry(self._translator.break_off("the decoy ended"), self._home)
            await asyncio.shield(cowrie.stop())
            self._say_gone(cowrie, why)

    def _say_gone(self, cowrie: Cowrie, why: str) -> None:
        if why:
            self._tell(Event.COWRIE_DIED, persona=self.spec.name, why=why, last=cowrie.complaints[-3:])
        else:
            self._tell(Event.COWRIE_STOPPED, persona=self.spec.name)

    def _open(self, cowrie: Cowrie) -> None:
        """Hand over whoever came while there was no Cowrie."""
        self._cowrie = cowrie
        self._drop_waiting(_LONGEST_WAIT_S)
        while self._waiting:
            _, connection, accepted = self._waiting.popleft()
            self._hand_over(cowrie, connection, accepted)

    def _hand_over(self, cowrie: Cowrie, connection: Connection, accepted: socket.socket) -> None:
        async def send() -> None:
            with accepted, contextlib.suppress(OSError, TimeoutError):
                await cowrie.hand_over(accepted, connection.protocol)

        task = asyncio.create_task(send())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _drop_waiting(self, older_than_s: float) -> None:
        now = time.monotonic()
        while self._waiting and now - self._waiting[0][0] >= older_than_s:
            _, _, accepted = self._waiting.popleft()
            accepted.close()

    async def _watch(self, cowrie: Cowrie) -> str:
        """Kill a Cowrie that hangs, or that has filled its directory; return why."""
        self._heard_at = time.monotonic()
        number = 0
        while True:
            await asyncio.sleep(_PING_EVERY_S)
            number += 1
            with contextlib.suppress(OSError, TimeoutError):
                await cowrie.ping(number)
            if time.monotonic() - self._heard_at > _HUNG_AFTER_S:
                cowrie.kill()
                return "it hung"
            if await asyncio.to_thread(self._home.size_bytes) > _STATE_QUOTA_BYTES:
                cowrie.kill()
                return "its directory was full"
