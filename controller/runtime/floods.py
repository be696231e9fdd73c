"""Floods in the running controller: asks switches how many packets matched the flows of tenants' limits.

Each time it asks about some limits only, in turns, so that the load does not grow with the tenants.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from common.journal.journal import Journal
from controller.ids import cookie_of
from controller.policy.limits import Limit
from controller.policy.model import Policy
from controller.runtime.lookups import NO_ANSWER, exactly
from controller.runtime.switches import Switches
from controller.suspicion.floods import Floods
from controller.sync.outcomes import FoundFlow
from controller.telemetry.events import ControllerEvent

_LOOK_EVERY_S = 2.0


class FloodWatch:
    def __init__(self, journal: Journal, switches: Switches) -> None:
        self._journal, self._switches = journal, switches
        self._floods = Floods()
        self._looked_at = 0.0
        self._asked: tuple[Limit, ...] = ()
        self._look_up = 0  # its number

    @property
    def flooded(self) -> Mapping[str, float]:
        return self._floods.flooded

    def on_tick(self, now: float, policy: Policy) -> None:
        if now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        self._floods.on_policy(policy)
        packets_by_switch = self._answers()
        for limit in self._asked if packets_by_switch else ():
            # A limit holds at each switch on its own.
            highest = max(packets[cookie_of(limit.rule)] for packets in packets_by_switch)
            self._note(now, limit, highest)
        self._asked = self._floods.next_limits(policy)
        self._look_up = self._switches.look_up(exactly(cookie_of(limit.rule)) for limit in self._asked)

    def _answers(self) -> list[Counter[int]]:
        """Return packets by cookie, for each switch; nothing if a connected switch has not replied."""
        found = (self._switches.look_ups.take(self._look_up, is_last=True) or {}).values()
        if any(each.failure == NO_ANSWER for each in found):
            return []
        return [_packets(each.flows) for each in found if not each.failure]

    def _note(self, now: float, limit: Limit, packets: int) -> None:
        change = self._floods.on_packets(now, limit.name, limit.per_s, packets)
        if change:
            event = ControllerEvent.TENANT_FLOODED if change.is_flooded else ControllerEvent.FLOOD_ENDED
            rate = round(change.packets_per_s)
            self._journal.write(event, tenant=limit.name, packets_per_s=rate, limit_per_s=limit.per_s)


def _packets(flows: Iterable[FoundFlow]) -> Counter[int]:
    packets: Counter[int] = Counter()
    for each in flows:
        packets[each.flow.cookie] += each.packets
    return packets
