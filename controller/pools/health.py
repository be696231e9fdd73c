"""A member's health, from reports that may be wrong, late or missing. Pure; time is a parameter."""

from dataclasses import dataclass, replace
from enum import StrEnum

from common.wire.health import CheckKind, HealthReport
from controller.policy.model import PoolHealth


class Opinion(StrEnum):
    UNKNOWN = "unknown"  # there is no report yet
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Health:
    opinion: Opinion = Opinion.UNKNOWN
    detail: str = ""  # of the last bad report
    failed: tuple[CheckKind, ...] = ()  # checks in the last report
    contrary: int = 0  # consecutive reports that contradict the opinion
    heard_at: float = 0.0
    stale: str = ""  # why it is stale, from the last report

    def on_report(self, now: float, report: HealthReport, rules: PoolHealth) -> "Health":
        """Record a report. A member without reports joins with its first good one."""
        detail = "" if report.good else report.detail
        failed = () if report.good else report.failed or _failed_by(detail)
        heard = replace(self, heard_at=now, detail=detail, failed=failed, stale=report.stale)
        said = Opinion.GOOD if report.good else Opinion.BAD
        if said is self.opinion:
            return replace(heard, contrary=0)
        needed = {Opinion.UNKNOWN: 1, Opinion.GOOD: rules.falls, Opinion.BAD: rules.rises}[self.opinion]
        if self.contrary + 1 >= needed:
            return replace(heard, opinion=said, contrary=0)
        return replace(heard, contrary=self.contrary + 1)

    def is_silent(self, now: float, rules: PoolHealth) -> bool:
        return self.opinion is Opinion.GOOD and now - self.heard_at > rules.silence_s

    def is_heard(self, now: float, rules: PoolHealth) -> bool:
        return self.opinion is Opinion.GOOD and not self.is_silent(now, rules)

    def on_silence(self, rules: PoolHealth) -> "Health":
        detail = f"no report for {rules.silence_s:g} s"
        return replace(self, opinion=Opinion.BAD, contrary=0, detail=detail, failed=())


def _failed_by(detail: str) -> tuple[CheckKind, ...]:
    """Return the check that an agent of the first release names first: `clamd:HOST:PORT: ...`.

    Such an agent does not report `failed`.
    """
    first = detail.partition(":")[0]
    return tuple(kind for kind in CheckKind if kind.value == first)


def trusted(now: float) -> Health:
    """A member at the controller's start: healthy until a report, or silence, says that it is not."""
    return Health(Opinion.GOOD, heard_at=now)
