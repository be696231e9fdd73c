"""Reports when a pool has no member for new sessions, the effect on tenants, and when it ends."""

from common.journal.journal import Journal
from controller.compiler.impact import Trouble, troubles_of
from controller.compiler.network_state import Conditions
from controller.policy.model import Policy
from controller.telemetry.events import ControllerEvent

_MOST_TENANTS = 100  # named in one event


class EmptyPools:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.troubles: tuple[Trouble, ...] = ()

    def look(self, policy: Policy, conditions: Conditions) -> None:
        before = {trouble.pool: trouble for trouble in self.troubles}
        self.troubles = troubles_of(policy, conditions)
        now = {trouble.pool: trouble for trouble in self.troubles}
        for pool, trouble in now.items():
            if before.get(pool) != trouble:
                self._write(ControllerEvent.POOL_BECAME_EMPTY, trouble)
        for pool in sorted(before.keys() - now.keys()):
            self._write(ControllerEvent.POOL_CAME_BACK, before[pool])

    def _write(self, event: ControllerEvent, trouble: Trouble) -> None:
        tenants = [name for each in trouble.consequences for name in each.tenants]
        self._journal.write(
            event, pool=trouble.pool, tenants=tenants[:_MOST_TENANTS], consequences=trouble.lines
        )
