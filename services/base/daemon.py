"""The life cycle of a program on a host: start, signals, tasks, settings, orderly shutdown."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from socket import socket
from typing import Any, Generic, TypeVar

from common.journal.journal import Journal, Ship
from common.wire.codec import Versioned
from services.base import program
from services.base.events import DaemonEvent
from services.base.settings import SettingsError, facts_of, read_settings
from services.base.sockets import BACKLOG
from services.base.turned_away import TurnedAway
from services.base.watched import WatchedFile

S = TypeVar("S")
R = TypeVar("R", bound=Versioned)
Job = Callable[[], Coroutine[Any, Any, None]]


class Daemon:
    """`live` runs a program from start to end; a subclass fills in what happens at each step."""

    restart_s = 1.0  # pause before a task that failed starts again

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.turned_away = TurnedAway(journal.write)
        self._servers: set[asyncio.AbstractServer] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    # what a subclass fills in

    async def start(self) -> None:
        """Raise `OSError` or `SettingsError` if the program cannot run."""

    def chores(self) -> Mapping[str, Job]:
        """Return the tasks that run beside the sessions until the program stops, by name."""
        return {}

    def reload(self) -> None:
        """Act on SIGHUP. The log has been reopened already."""

    async def leave(self) -> None:
        """End open sessions. No new clients are accepted; chores still run."""

    async def close(self) -> None:
        """Release what `start` acquired, even if it failed half-way. No chore is running any more."""

    def note_stopped(self) -> None:
        """Write to the journal that the program has stopped in an orderly way."""

    # what it inherits

    async def live(self) -> None:
        try:
            await self.start()
            for name, job in self.chores().items():
                self.keep_running(name, job)
            await program.until_stopped(self.journal, self.reload)
            self._stop_serving()
            await self.leave()
        finally:
            self._stop_serving()
            await self.end_tasks(self._tasks)
            await self.close()
            self.turned_away.report()
            self.journal.flush()  # also what was noted before an error
        self.note_stopped()
        self.journal.flush()

    async def serve(
        self, protocol: Callable[[], asyncio.BaseProtocol], sock: socket
    ) -> asyncio.AbstractServer:
        """Accept clients at a listening socket until the program stops. Raise `OSError`."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(protocol, sock=sock, backlog=BACKLOG)
        self._servers.add(server)
        return server

    def stop_serving(self, server: asyncio.AbstractServer) -> None:
        server.close()
        self._servers.discard(server)

    def keep_running(self, name: str, job: Job) -> asyncio.Task[None]:
        """Run a task. If it fails, report the error and start it again."""
        task = asyncio.get_running_loop().create_task(self._run_again(name, job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def end_tasks(self, tasks: set[asyncio.Task[None]]) -> None:
        ending = tuple(tasks)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _run_again(self, name: str, job: Job) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await job()
            except Exception as error:
                reason, pause_s = repr(error), self.restart_s
                self.journal.write(DaemonEvent.TASK_FAILED, task=name, reason=reason, again_in_s=pause_s)
                loop.call_exception_handler({"message": f"task {name} failed", "exception": error})
                await asyncio.sleep(pause_s)
            else:
                return

    def _stop_serving(self) -> None:
        for server in tuple(self._servers):
            self.stop_serving(server)


class SettingsDaemon(Daemon, Generic[S]):
    """A program with a settings file. A changed file is loaded; a file with errors changes nothing."""

    poll_s = 0.5
    # ValueError: text that is no UTF-8, a NUL in a path, a name that no certificate can have
    refusals: tuple[type[Exception], ...] = (OSError, SettingsError, ValueError)

    def __init__(self, file: Path, journal: Journal) -> None:
        super().__init__(journal)
        self.file = WatchedFile(file)
        self.settings: S
        self._of_record: Mapping[str, object] = {}
        self._is_due = asyncio.Event()

    # what a subclass fills in

    def read(self) -> S:
        """Return the settings in the file. Raise one of `refusals`."""
        raise NotImplementedError

    def describe(self, settings: S) -> Mapping[str, object]:
        """Return the fields of `SettingsLoaded`."""
        return {}

    async def take_up(self, settings: S) -> None:
        """Act on new settings, then `use` them. Raise one of `refusals` to keep the current settings."""
        self.use(settings)

    def has_changed(self) -> bool:
        return self.file.has_changed()

    async def look_around(self) -> None:
        """Do periodic work, every `poll_s`."""

    # what it inherits

    async def start(self) -> None:
        await self.take_up(self.read())

    def chores(self) -> Mapping[str, Job]:
        return {"settings": self._watch}

    def reload(self) -> None:
        """Load the file again, changed or not."""
        self._is_due.set()

    def read_record(self, kind: type[R]) -> R:
        """Return the file as a record that the controller wrote. Raise `OSError` or `SettingsError`.

        `SettingsLoaded` then names the keys that this version does not know.
        """
        loaded = read_settings(kind, self.file.read())
        self._of_record = facts_of(loaded)
        return loaded.record

    def use(self, settings: S) -> None:
        """Put settings into force."""
        self.settings = settings
        self.journal.write(DaemonEvent.SETTINGS_LOADED, **self.describe(settings), **self._of_record)

    def reload_now(self) -> None:
        """Load the file before the next packet is handled, for programs whose `take_up` only calls `use`."""
        try:
            self.use(self.read())
        except self.refusals as error:
            self._refuse(error)

    async def _reload(self) -> None:
        try:
            await self.take_up(self.read())
        except self.refusals as error:
            self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        self.journal.write(DaemonEvent.SETTINGS_REFUSED, file=str(self.file.path), reason=str(error))

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.poll_s):
                    await self._is_due.wait()
            if self._is_due.is_set() or self.has_changed():
                self._is_due.clear()
                await self._reload()
            self.turned_away.report_due()
            await self.look_around()


def run_daemon(
    name: str,
    parsed: argparse.Namespace,
    build: Callable[[Journal], Daemon],
    *,
    ship: Ship | None = None,
    runner: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run,
) -> int:
    """Open the journal, build a daemon in an event loop and run it; return the exit code."""

    async def live(journal: Journal) -> None:
        await build(journal).live()

    return program.run(name, parsed, lambda journal: runner(live(journal)), ship)
