"""Checks whether trunks lead where the policy says, with probes that switches send each other. Pure.

Each switch sends a probe out of every trunk port; the switch that receives it reports
the port. A trunk is wrong if it is watched and no probe arrives, or if a probe from
another port does. While no switch receives any probe, the controller is more likely
at fault than every cable, and no trunk is reported.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.policy.model import PortRef
from controller.topology.fabric import Trunk

PROBE_INTERVAL_S = 1.0
SILENCE_S = 5.0


@dataclass(frozen=True, slots=True, order=True)
class CablingTrouble:
    """`found` is the port whose probe arrived at `trunk.far` instead of `trunk.near`'s; None: no probe."""

    trunk: Trunk
    found: PortRef | None

    def __str__(self) -> str:
        near, far = self.trunk.near, self.trunk.far
        if self.found is None:
            return f"{near} should lead to {far}, but nothing arrives there; remedy: check the cable"
        cabled = f"{far} is cabled to {self.found}, but the policy says {near}"
        return f"{cabled}; remedy: change the cable or `links`"


class Cabling:
    def __init__(self) -> None:
        self._watched_since: dict[Trunk, float] = {}
        self._heard: dict[PortRef, tuple[PortRef, float]] = {}  # by the port where it arrived

    def watch(self, now: float, trunks: Iterable[Trunk]) -> None:
        """Set which trunks can be judged: both switches are connected, both ports are up."""
        before = self._watched_since
        self._watched_since = {trunk: before.get(trunk, now) for trunk in trunks}
        places = {trunk.far for trunk in self._watched_since}
        self._heard = {at: heard for at, heard in self._heard.items() if at in places}

    def on_heard(self, now: float, at: PortRef, origin: PortRef) -> None:
        """A probe that `origin` sent has arrived at `at`."""
        self._heard[at] = (origin, now)

    def troubles(self, now: float) -> frozenset[CablingTrouble]:
        lately = self._heard_lately(now)
        found = set()
        for trunk, since in self._watched_since.items():
            origin = lately.get(trunk.far)
            is_silent = origin is None and lately and now - since > SILENCE_S
            if is_silent or origin not in (None, trunk.near):
                found.add(CablingTrouble(trunk, origin))
        return frozenset(found)

    def judged(self, now: float) -> tuple[Trunk, ...]:
        """Return the trunks of which it is known whether they are right."""
        lately = self._heard_lately(now)
        return tuple(
            trunk
            for trunk, since in self._watched_since.items()
            if trunk.far in lately or (lately and now - since > SILENCE_S)
        )

    def unheard_s(self, now: float) -> float | None:
        """Return for how long no probe has arrived anywhere although trunks are watched; None: some do."""
        since = [*self._watched_since.values(), *(when for _, when in self._heard.values())]
        silence_s = now - max(since, default=now)
        return silence_s if silence_s > SILENCE_S else None

    def _heard_lately(self, now: float) -> dict[PortRef, PortRef]:
        return {at: origin for at, (origin, when) in self._heard.items() if now - when <= SILENCE_S}
