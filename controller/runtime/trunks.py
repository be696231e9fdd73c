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
        self.remembered: frozenset[PortRef] = (
            frozenset()
        )  # ends that were wrong before the controller's start

    @property
    def broken(self) -> set[PortRef]:
        """Both ends of every trunk that is wrong, or that was wrong and has not been judged since."""
        wrong = {end for each in self.troubles for end in (each.trunk.near, each.trunk.far)}
        return wrong | self.remembered

    def describe(self, now: float) -> tuple[str, ...]:
        """Return what is wrong with trunks, in words, and whether that is known at all."""
        lines = tuple(sorted(map(str, self.troubles)))
        if (silence_s := self._cabling.unheard_s(now)) is None:
            return lines
        said = f"no probe has arrived from any trunk for {silence_s:.0f} s, so none of them is checked"
        return (*lines, f"{said}; remedy: check that the switches pass LLDP to the controller")

    def on_heard(self, now: float, at: PortRef, origin: PortRef) -> None:
        self._cabling.on_heard(now, at, origin)

    def on_tick(self, now: float, policy: Policy) -> None:
        """Send the next probes if they are due, and judge the trunks by those that arrived."""
        if now - self._probed_at < PROBE_INTERVAL_S:
            return
        self._probed_at = now
        by_name = self._switches.by_name()
        down = set(self._switches.ports.down(policy))
        answering = {
            name
            for name, record in by_name.items()
            if record.channel is not None and record.session.carried_out_revision
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
        for trunk in self._cabling.judged(now) if self.remembered else ():
            self.remembered -= {trunk.near, trunk.far}
        for trouble in sorted(self.troubles - before, key=str):
            self._journal.write(ControllerEvent.CABLING_WRONG, link=trouble.trunk.rule, reason=str(trouble))
        for trouble in sorted(before - self.troubles, key=str):
            if trouble.trunk not in {each.trunk for each in self.troubles}:
                self._journal.write(ControllerEvent.CABLING_RIGHT, link=trouble.trunk.rule)
