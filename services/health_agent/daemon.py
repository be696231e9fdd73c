"""The running health agent."""

from collections.abc import Mapping

from common.journal.journal import Journal
from services.base.daemon import Daemon, Job
from services.health_agent.controller import Controller
from services.health_agent.events import HealthAgentEvent
from services.health_agent.watch import MemberWatch


class HealthAgent(Daemon):
    def __init__(self, controller: Controller, address: str, journal: Journal) -> None:
        super().__init__(journal)
        self._controller, self._address = controller, address

    async def start(self) -> None:
        facts = {"member": self._controller.member, "address": self._address}
        self.journal.write(HealthAgentEvent.HEALTH_AGENT_STARTED, **facts)

    def chores(self) -> Mapping[str, Job]:
        return {"checks": MemberWatch(self._controller, self._address, self.journal.write).run}

    def note_stopped(self) -> None:
        self.journal.write(HealthAgentEvent.HEALTH_AGENT_STOPPED)
