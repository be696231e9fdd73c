"""The report of a benchmark: figures of Postern and its peer from one run, and their ratio."""

import json
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """`ours` and `peer` hold one figure for each round; the two are measured in turns."""

    name: str
    unit: str
    peer_name: str
    ours: Sequence[float]
    peer: Sequence[float]
    wanted: float  # the ratio that ours must reach

    @property
    def ratio(self) -> float:
        return statistics.median(self.ours) / statistics.median(self.peer)

    @property
    def is_reached(self) -> bool:
        return self.ratio >= self.wanted

    def __str__(self) -> str:
        ours, peer = statistics.median(self.ours), statistics.median(self.peer)
        mark = "reached" if self.is_reached else "MISSED"
        return (
            f"{self.name:<38} ours {ours:>9,.0f}   {self.peer_name} {peer:>9,.0f} {self.unit:<22} "
            f"ratio {self.ratio:5.2f}   (wanted {self.wanted:g}: {mark})"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "peer": self.peer_name,
            "ours_by_round": list(self.ours),
            "peer_by_round": list(self.peer),
            "ratio_of_medians": round(self.ratio, 3),
            "wanted": self.wanted,
        }


class Limit:
    """Figures of one kind, the worst of which must stay below a limit."""

    def __init__(self, name: str, unit: str, figures: list[float], wanted: float) -> None:
        self.name, self.unit, self.figures, self.wanted = name, unit, figures, wanted

    @property
    def is_reached(self) -> bool:
        return max(self.figures) <= self.wanted

    def __str__(self) -> str:
        mark = "reached" if self.is_reached else "MISSED"
        each = ", ".join(f"{figure:,.4g}" for figure in self.figures)
        ratio = max(self.figures) / self.wanted
        return f"{self.name:<60} {each} {self.unit}   ratio {ratio:.2f} of {self.wanted:g} allowed: {mark}"

    def to_json(self) -> dict[str, object]:
        return {"name": self.name, "unit": self.unit, "figures": self.figures, "allowed": self.wanted}


@dataclass(slots=True)
class Report:
    title: str
    comparisons: list[Comparison] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def is_reached(self) -> bool:
        limits, comparisons = self.limits, self.comparisons
        return all(each.is_reached for each in limits) and all(each.is_reached for each in comparisons)

    def write(self, file: Path) -> None:
        """Print all limits and comparisons, and write them as JSON. Raise `OSError`."""
        for result in (*self.limits, *self.comparisons):
            print(result)
        content = {
            "title": self.title,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": {"python": platform.python_version(), "processors": _processors()},
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
            **({"limits": [limit.to_json() for limit in self.limits]} if self.limits else {}),
            **self.facts,
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"written to {file}")


def _processors() -> int:
    import os

    return len(os.sched_getaffinity(0))
