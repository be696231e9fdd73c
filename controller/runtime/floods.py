"""Floods in the running controller: asks switches how many packets matched each tenant's limit flow."""

from collections.abc import Mapping

from common.journal.journal import Journal
from controller.policy.model import Policy, Tenant
from controller.runtime.switches import Switches
from controller.suspicion.floods import Floods
from controller.telemetry.events import ControllerEvent

_LOOK_EVERY_S = 2.0


class FloodWatch:
    def __init__(self, journal: Journal, switches: Switches) -> None:
        self._journal, self._switches = journal, switches
        self._floods = Floods()
        self._looked_at = 0.0

    @property
    def flooded(self) -> Mapping[str, float]:
        return self._floods.flooded

    def on_tick(self, now: float, policy: Policy) -> None:
        if now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        self._floods.on_policy(policy)
        for tenant in policy.tenants:
            if tenant.limit_per_s:
                self._look(now, tenant)

    def _look(self, now: float, tenant: Tenant) -> None:
        """Process the replies to the last request, and ask again."""
        rule = f"tenants.{tenant.name}.limit_per_second"
        told = self._switches.packets(rule)
        self._switches.ask_packets(rule)
        if not told:
            return
        change = self._floods.on_packets(now, tenant.name, tenant.limit_per_s, sum(told.values()))
        if change:
            event = ControllerEvent.TENANT_FLOODED if change.is_flooded else ControllerEvent.FLOOD_ENDED
            rate = round(change.packets_per_s)
            self._journal.write(event, tenant=tenant.name, packets_per_s=rate, limit_per_s=tenant.limit_per_s)
