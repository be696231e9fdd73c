"""Is a member well, from reports that may be wrong, late or missing. Pure; time is a parameter."""

from dataclasses import dataclass, replace
from enum import StrEnum

FALLS_AFTER = 2  # bad reports in a row
RISES_AFTER = 2  # good ones
SILENCE_S = 3.0  # so long without a report


class Opinion(StrEnum):
    UNKNOWN = "unknown"  # nobody has reported yet
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Health:
    opinion: Opinion = Opinion.UNKNOWN
    detail: str = ""  # of the last report that was bad
    contrary: int = 0  # reports in a row that speak against the opinion
    heard_at: float = 0.0

    def on_report(self, now: float, is_good: bool, detail: str = "") -> "Health":
        """Take one report in. A member nobody knows joins with its first good report."""
        heard = replace(self, heard_at=now, detail="" if is_good else detail)
        said = Opinion.GOOD if is_good else Opinion.BAD
        if said is self.opinion:
            return replace(heard, contrary=0)
        needed = {Opinion.UNKNOWN: 1, Opinion.GOOD: FALLS_AFTER, Opinion.BAD: RISES_AFTER}[self.opinion]
        if self.contrary + 1 >= needed:
            return replace(heard, opinion=said, contrary=0)
        return replace(heard, contrary=self.contrary + 1)

    def is_silent(self, now: float) -> bool:
        return self.opinion is Opinion.GOOD and now - self.heard_at > SILENCE_S

    def is_heard(self, now: float) -> bool:
        return self.opinion is Opinion.GOOD and not self.is_silent(now)

    def on_silence(self) -> "Health":
        return replace(self, opinion=Opinion.BAD, contrary=0, detail=f"no report for {SILENCE_S:.0f} s")


def trusted(now: float) -> Health:
    """A member that the controller starts with: well until a report, or silence, says otherwise."""
    return Health(Opinion.GOOD, heard_at=now)
