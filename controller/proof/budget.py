"""How much work a proof may take. One foreign flow can open so many ways that it would never end."""

from collections import Counter

from controller.proof.flows import NeutralFlow

_LEAST = 40_000  # steps
_PER_FLOW = 120


class Exhausted(Exception):
    """The work is used up: what was found so far is reported."""


class Budget:
    """Counts steps: flows that a box meets, commits, and look-ups of connections."""

    def __init__(self, flows: int) -> None:
        self.steps = 0
        self.most = _LEAST + _PER_FLOW * flows
        self.met: Counter[tuple[str, int]] = Counter()  # switch and id of each flow

    def meet(self, switch: str, flow: NeutralFlow) -> None:
        self.met[switch, id(flow)] += 1
        self.spend()

    def spend(self, steps: int = 1) -> None:
        """Raise `Exhausted` once too many steps were taken."""
        self.steps += steps
        if self.is_exhausted:
            raise Exhausted

    @property
    def is_exhausted(self) -> bool:
        return self.steps > self.most
