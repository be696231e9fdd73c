"""Probes trunks, and reports those that do not lead where the policy says."""

from common.journal.journal import Journal
from controller.policy.model import Policy, PortRef
from controller.runtime.switches import Switches
from controller.telemetry.events import ControllerEvent
from controller.topology.cabling import PROBE_INTERVAL_S, Cabling, CablingTrouble
from controller.topology.fabric import trunks_of


class TrunkWatch:
    def __init__(self, journal: Journal, switches: Switches) -> None:
        self._journal = journal
        self._switches = switches
        self._cabling = Cabling()
        self._probed_at = -PROBE_INTERVAL_S
        self.troubles: frozenset[CablingTrouble] = frozenset()

    @property
    def broken(self) -> set[PortRef]:
        """Both ends of every trunk that is wrong."""
        return {end for each in self.troubles for end in (each.trunk.near, each.trunk.far)}

    def on_heard(self, now: float, at: PortRef, origin: PortRef) -> None:
        self._cabling.on_heard(now, at, origin)

    def on_tick(self, now: float, policy: Policy) -> None:
        """Send the next probes if they are due, and judge the trunks by those that arrived."""
        if now - self._probed_at < PROBE_INTERVAL_S:
            return
        self._probed_at = now
        by_name = self._switches.by_name()
        down = set(self._switches.ports_down(policy))
        answering = {
            name
            for name, record in by_name.items()
            if record.channel is not None and record.session.confirmed_revision
        }
        watched = []
        for trunk in trunks_of(policy):
            if {trunk.near.switch, trunk.far.switch} <= answering and not {trunk.near, trunk.far} & down:
                watched.append(trunk)
                if channel := by_name[trunk.near.switch].channel:
                    channel.probe(trunk.near)
        self._cabling.watch(now, watched)
        self._note(now)

    def _note(self, now: float) -> None:
        before, self.troubles = self.troubles, self._cabling.troubles(now)
        for trouble in sorted(self.troubles - before, key=str):
            self._journal.write(ControllerEvent.CABLING_WRONG, link=trouble.trunk.rule, reason=str(trouble))
        for trouble in sorted(before - self.troubles, key=str):
            if trouble.trunk not in {each.trunk for each in self.troubles}:
                self._journal.write(ControllerEvent.CABLING_RIGHT, link=trouble.trunk.rule)
