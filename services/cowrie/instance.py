"""Keeps one persona's Cowrie alive: restarts it if it dies, kills it if it hangs, gives it connections."""

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from common.journal.journal import Report
from services.cowrie.events import CowrieEvent
from services.cowrie.process import Cowrie, Installed
from services.cowrie.spec import Spec
from services.cowrie.state_directory import StateDirectory
from services.cowrie.translate import CowrieOutcome, Translator
from services.decoy.events import Encounter

# Increases with each early death, up to the last value.
_BACKOFF_S = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
_HEALTHY_AFTER_S = 60.0
_PING_EVERY_S = 5.0
# On a busy machine a start takes long; a Cowrie that is killed before it is ready would never be.
_STARTS_WITHIN_S = 120.0
# Once it is ready: Cowrie stops parsing one input after 10 s; nothing else may take it so long.
_HUNG_AFTER_S = 15.0
_MOST_WAITING = 50
_LONGEST_WAIT_S = 30.0
_IDLE_S = 600.0
_STATE_QUOTA_BYTES = 256 * 1024 * 1024

Carry = Callable[[Iterable[CowrieOutcome], StateDirectory], None]


class Gone(StrEnum):
    """Why a Cowrie has ended, as the journal says it."""

    BY_ITSELF = "it ended unexpectedly"
    STOPPED = "it was stopped"
    IDLE = "it was idle"
    HUNG = "it did not respond"
    FULL = "its directory was full"


@dataclass(frozen=True, slots=True)
class _Given:
    encounter: Encounter
    socket: socket.socket
    since: float


class Instance:
    """`run` runs until cancelled; `take` may be called at any time.

    An instance that is kept ready always runs. Others start for their first attacker, and end when idle.
    """

    def __init__(  # noqa: PLR0913
        self,
        spec: Spec,
        home: StateDirectory,
        installed: Installed,
        report: Report,
        carry: Carry,
        *,
        is_kept_ready: bool,
    ) -> None:
        self.spec = spec
        self.is_kept_ready = is_kept_ready
        self._home = home
        self._installed = installed
        self._report = report
        self._carry = carry
        self._cowrie: Cowrie | None = None
        self._translator = Translator()
        self._waiting: deque[_Given] = deque()  # until Cowrie runs
        self._handed: dict[str, _Given] = {}  # handed over, but not yet confirmed by Cowrie
        self._deaths = 0
        self._heard_at = 0.0
        self._sending: set[asyncio.Task[None]] = set()
        self._is_wanted = asyncio.Event()
        self._taken_at = 0.0

    def take(self, encounter: Encounter, accepted: socket.socket) -> bool:
        """Pass a connection to Cowrie as soon as possible. Return False if it has too many."""
        if self._translator.is_full() or len(self._waiting) >= _MOST_WAITING:
            return False
        self._carry(self._translator.expect(encounter), self._home)
        self._taken_at = time.monotonic()
        self._is_wanted.set()
        self._waiting.append(_Given(encounter, accepted, self._taken_at))
        if self._cowrie is not None:
            self._hand_over(self._cowrie)
        return True

    async def run(self) -> None:
        try:
            while True:
                if not self.is_kept_ready and not self._waiting:
                    self._is_wanted.clear()
                    await self._is_wanted.wait()
                began = time.monotonic()
                if await self._live_once():
                    continue
                self._deaths = 0 if time.monotonic() - began > _HEALTHY_AFTER_S else self._deaths + 1
                await asyncio.sleep(_BACKOFF_S[min(self._deaths, len(_BACKOFF_S) - 1)])
                self._drop_waiting(_LONGEST_WAIT_S, "the decoy was not ready")
        finally:
            self._drop_waiting(0.0, "the decoy ended")

    async def _live_once(self) -> bool:
        """Start Cowrie and serve until it ends; return whether it ended because it was idle."""
        began = time.monotonic()
        try:
            await asyncio.to_thread(self._home.prepare, self.spec, self.spec.host)
            cowrie = await Cowrie.start(self._installed, self._home.path)
        except OSError as error:
            self._report(
                CowrieEvent.COWRIE_DIED, persona=self.spec.name, reason=f"cannot be started: {error}"
            )
            return False
        watching = asyncio.create_task(self._watch(cowrie))
        gone = Gone.STOPPED
        try:
            async for event in cowrie.events():
                self._heard_at = time.monotonic()
                self._hear(event, cowrie, began)
            gone = _reason(watching)
        finally:
            self._cowrie = None
            watching.cancel()
            self._carry(self._translator.break_off("the decoy ended"), self._home)
            self._waiting.extendleft(reversed(self._handed.values()))
            self._handed.clear()
            await self._finish(cowrie, gone)
        return gone is Gone.IDLE

    async def _finish(self, cowrie: Cowrie, gone: Gone) -> None:
        """End what is left of a Cowrie and report it, even if this task is cancelled meanwhile."""
        stopping = asyncio.create_task(cowrie.stop())
        try:
            await asyncio.shield(stopping)
        finally:
            await asyncio.wait([stopping])
            self._say_gone(cowrie, gone)

    def _say_gone(self, cowrie: Cowrie, gone: Gone) -> None:
        if gone in (Gone.STOPPED, Gone.IDLE):
            self._report(CowrieEvent.COWRIE_STOPPED, persona=self.spec.name)
        else:
            self._report(
                CowrieEvent.COWRIE_DIED, persona=self.spec.name, reason=gone, last=cowrie.complaints[-3:]
            )

    def _hear(self, event: Mapping[str, Any], cowrie: Cowrie, began: float) -> None:
        match event.get("eventid"):
            case "postern.ready":
                seconds = round(time.monotonic() - began, 3)
                self._report(
                    CowrieEvent.COWRIE_STARTED, persona=self.spec.name, pid=cowrie.pid, seconds=seconds
                )
                self._cowrie = cowrie
                self._drop_waiting(_LONGEST_WAIT_S, "the decoy was not ready")
                self._hand_over(cowrie)
            case "postern.taken":
                self._let_go(str(event.get("key")), event.get("served") is True)
            case "postern.lost":
                self._report(
                    CowrieEvent.EVENTS_LOST, persona=self.spec.name, count=_count(event.get("count"))
                )
            case _:
                self._carry(self._translator.hear(event), self._home)

    def _hand_over(self, cowrie: Cowrie) -> None:
        """Give all waiting connections to Cowrie. Unconfirmed ones wait again if Cowrie dies."""
        while self._waiting:
            given = self._waiting.popleft()
            self._handed[given.encounter.session] = given
            task = asyncio.create_task(_send(cowrie, given))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def _let_go(self, session: str, is_served: bool) -> None:
        """Close our copy of a connection that Cowrie has taken."""
        given = self._handed.pop(session, None)
        if given is not None:
            given.socket.close()
            if not is_served:
                self._carry(self._translator.drop(given.encounter, "client disconnected at once"), self._home)

    def _drop_waiting(self, older_than_s: float, why: str) -> None:
        now = time.monotonic()
        while self._waiting and now - self._waiting[0].since >= older_than_s:
            given = self._waiting.popleft()
            given.socket.close()
            self._carry(self._translator.drop(given.encounter, why), self._home)

    def _is_idle(self) -> bool:
        return not self._translator.open and time.monotonic() - self._taken_at > _IDLE_S

    async def _watch(self, cowrie: Cowrie) -> Gone:
        """End a Cowrie that is idle, hangs, or has filled its directory; return the reason."""
        self._heard_at = time.monotonic()
        number = 0
        while True:
            await asyncio.sleep(_PING_EVERY_S)
            number += 1
            with contextlib.suppress(OSError, TimeoutError):
                await cowrie.ping(number)
            if not self.is_kept_ready and self._is_idle():
                cowrie.hang_up()
                return Gone.IDLE
            patience_s = _STARTS_WITHIN_S if self._cowrie is None else _HUNG_AFTER_S
            if time.monotonic() - self._heard_at > patience_s:
                cowrie.kill()
                return Gone.HUNG
            if await asyncio.to_thread(self._home.size_bytes) > _STATE_QUOTA_BYTES:
                cowrie.kill()
                return Gone.FULL


def _reason(watching: "asyncio.Task[Gone]") -> Gone:
    """Return why a Cowrie that was not stopped has ended: `_watch` ended it, or it ended by itself."""
    return watching.result() if watching.done() else Gone.BY_ITSELF


async def _send(cowrie: Cowrie, given: _Given) -> None:
    with contextlib.suppress(OSError, TimeoutError):  # Cowrie is dead, or `_watch` will find that it hangs
        await cowrie.hand_over(given.socket, given.encounter.protocol, given.encounter.session)


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
