"""The running uplink: passes requests on, and keeps a pool's settings file up to date."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.journal.journal import Journal
from services.base.daemon import Daemon, Job
from services.base.events import DaemonEvent
from services.base.files import remove_unfinished
from services.uplink.access import Access
from services.uplink.events import UplinkEvent
from services.uplink.mirror import Following, follow
from services.uplink.relay import Relay


@dataclass(frozen=True, slots=True)
class UplinkOptions:
    """`member`, `pool` and `file`: whose settings are kept, and where. Without a `member`, none are kept."""

    socket: Path
    member: str
    pool: str
    file: Path


class Uplink(Daemon):
    def __init__(self, options: UplinkOptions, access: Access, journal: Journal) -> None:
        super().__init__(journal)
        self._options, self._access = options, access
        self._relay = Relay(access, self._note_problem)
        self._problem = ""

    async def start(self) -> None:
        await self._access.open()
        await self._relay.start(self._options.socket)
        if self._options.member:
            remove_unfinished(self._options.file.parent, [self._options.file.name])
        facts = {"api": self._access.url, "member": self._options.member}
        self.journal.write(UplinkEvent.UPLINK_STARTED, **facts)

    def chores(self) -> Mapping[str, Job]:
        return {"settings": self._follow} if self._options.member else {}

    async def close(self) -> None:
        await self._relay.stop()
        await self._access.close()

    def note_stopped(self) -> None:
        self.journal.write(UplinkEvent.UPLINK_STOPPED)

    async def _follow(self) -> None:
        following = Following(self._access, self._options.pool, self._options.file)
        await follow(following, self.journal.write, self._note_problem)

    def _note_problem(self, problem: str) -> None:
        """Report once that the controller is unavailable, and once that it is available again."""
        if problem and not self._problem:
            self.journal.write(DaemonEvent.CONTROLLER_AWAY, reason=problem)
        elif self._problem and not problem:
            self.journal.write(DaemonEvent.CONTROLLER_BACK)
        self._problem = problem
