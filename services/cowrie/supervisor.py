"""All Cowries of this host: as many as the personas need, each with the connections for it."""

import asyncio
import socket
from pathlib import Path

from common.journal.journal import Report
from services.cowrie.instance import Carry, Instance
from services.cowrie.process import Installed
from services.cowrie.routing import RoutingTable
from services.cowrie.spec import Spec
from services.cowrie.state_directory import StateDirectory
from services.decoy.events import Encounter
from services.decoy.shared_identity import SharedIdentity


class CowrieSupervisor:
    """`follow` applies a directory of routes, `take` accepts connections, `stop` ends all."""

    def __init__(
        self, state: Path, installed: Installed, report: Report, carry: Carry, *, kept_ready: int
    ) -> None:
        """A Cowrie takes about 50 MB, so only `kept_ready` of them run before they are attacked."""
        self._state = state
        self._installed = installed
        self._report = report
        self._carry = carry
        self._kept_ready = kept_ready
        self._likeness: SharedIdentity | None = None
        self._instances: dict[str, Instance] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def follow(self, directory: RoutingTable, likeness: SharedIdentity) -> None:
        """Start and stop Cowries to match the directory. Those that match already keep running."""
        wanted = {spec.name: spec for spec in directory.specs}
        is_other = likeness != self._likeness
        self._likeness = likeness
        for name in list(self._instances):
            if is_other or wanted.get(name) != self._instances[name].spec:
                self._end(name)
        for number, (name, spec) in enumerate(wanted.items()):
            if name not in self._instances:
                self._begin(name, spec, likeness, number < self._kept_ready)

    def take(self, encounter: Encounter, spec: Spec, accepted: socket.socket) -> bool:
        """Serve an accepted connection. Return False if its Cowrie has too many."""
        return self._instances[spec.name].take(encounter, accepted)

    async def stop(self) -> None:
        for name in list(self._instances):
            self._end(name)
        while self._leaving:
            await asyncio.wait(self._leaving)

    def _begin(self, name: str, spec: Spec, likeness: SharedIdentity, is_kept_ready: bool) -> None:
        home = StateDirectory(self._state / spec.tenant / spec.host, self._installed.account, likeness)
        before = [task for task in self._leaving if task.get_name() == name]
        instance = Instance(
            spec, home, self._installed, self._report, self._carry, is_kept_ready=is_kept_ready
        )

        async def live() -> None:
            if before:  # they still use the directory
                await asyncio.wait(before)
            await instance.run()

        self._instances[name] = instance
        self._tasks[name] = asyncio.create_task(live(), name=name)

    def _end(self, name: str) -> None:
        del self._instances[name]
        task = self._tasks.pop(name)
        task.cancel()
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
