"""Do the trunks lead where the policy says? From probes that switches hear of each other. Pure.

Each switch sends a probe out of every trunk port; whoever hears it says where. A
trunk that is watched and stays silent, or at whose end another port is heard, is in
trouble. While nobody hears anything at all, the fault is more likely ours than that
of every cable, and no trunk is blamed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.policy.model import PortRef
from controller.topology.fabric import Trunk

PROBE_INTERVAL_S = 1.0
SILENCE_S = 5.0


@dataclass(frozen=True, slots=True, order=True)
class CablingTrouble:
    """`found` is what was heard at `trunk.far` instead of `trunk.near`; None: nothing."""

    trunk: Trunk
    found: PortRef | None

    def __str__(self) -> str:
        near, far = self.trunk.near, self.trunk.far
        if self.found is None:
            return f"{near} should lead to {far}, but nothing arrives there; remedy: see to the cable"
        return f"{far} is cabled to {self.found}, the policy says {near}; remedy: change the cable or `links`"


class Cabling:
    def __init__(self) -> None:
        self._watched_since: dict[Trunk, float] = {}
        self._heard: dict[PortRef, tuple[PortRef, float]] = {}  # by the port where it was heard

    def watch(self, now: float, trunks: Iterable[Trunk]) -> None:
        """Say which trunks can be judged: both switches answer, both ports are up."""
        before = self._watched_since
        self._watched_since = {trunk: before.get(trunk, now) for trunk in trunks}
        places = {trunk.far for trunk in self._watched_since}
        self._heard = {at: heard for at, heard in self._heard.items() if at in places}

    def on_heard(self, now: float, at: PortRef, origin: PortRef) -> None:
        """A probe that `origin` sent has arrived at `at`."""
        self._heard[at] = (origin, now)

    def troubles(self, now: float) -> frozenset[CablingTrouble]:
        lately = {at: origin for at, (origin, when) in self._heard.items() if now - when <= SILENCE_S}
        found = set()
        for trunk, since in self._watched_since.items():
            origin = lately.get(trunk.far)
            is_silent = origin is None and lately and now - since > SILENCE_S
            if is_silent or origin not in (None, trunk.near):
                found.add(CablingTrouble(trunk, origin))
        return frozenset(found)
