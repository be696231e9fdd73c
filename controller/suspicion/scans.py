"""Scans: sources that try many addresses and ports, from samples of packets to unpublished ones. Pure.

A door is an address with a port. Sources, and doors per source, are bounded. A sample
shows a fraction of the packets, so the count of doors is a lower bound.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.policy.model import Address
from controller.suspicion.scores import Evidence

DOORS = 15
WINDOW_S = 60.0
_MOST_SOURCES = 20_000


@dataclass(slots=True)
class _Tries:
    since: float
    doors: set[tuple[str, int]] = field(default_factory=set)


class Scans:
    def __init__(self) -> None:
        self._by_source: OrderedDict[Address, _Tries] = OrderedDict()

    def on_samples(self, now: float, samples: Iterable[Evidence]) -> list[Evidence]:
        """Return one piece of evidence for each source that has tried enough doors within the window."""
        found = []
        for sample in samples:
            tries = self._by_source.pop(sample.source, None)
            if tries is None or now - tries.since > WINDOW_S:
                tries = _Tries(now)
            self._by_source[sample.source] = tries
            tries.doors.add((sample.destination, sample.port))
            if len(tries.doors) >= DOORS:
                detail = f"{DOORS} addresses or ports within {max(1, round(now - tries.since))} s"
                found.append(Evidence("scan", sample.source, detail=detail))
                self._by_source[sample.source] = _Tries(now)
            if len(self._by_source) > _MOST_SOURCES:
                self._by_source.popitem(last=False)
        return found
