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
    detail: str = ""  # of the last bad report; kept until the opinion is good
    failed: tuple[CheckKind, ...] = ()  # checks in the last bad report; kept as long
    contrary: int = 0  # consecutive reports that contradict the opinion
    heard_at: float = 0.0  # before the first report: since when one is awaited
    stale: str = ""  # why it is stale, from the last report
    is_remembered: bool = False  # from before the controller's start; no report has confirmed it since

    def on_report(self, now: float, report: HealthReport, rules: PoolHealth) -> "Health":
        """Record a report. A member without reports joins with its first good one."""
        said = Opinion.GOOD if report.good else Opinion.BAD
        heard = self._with(report, said)._on_opinion(said, rules)
        return replace(heard, heard_at=now, stale=report.stale, is_remembered=False)

    def _with(self, report: HealthReport, said: Opinion) -> "Health":
        """Record what failed. Good reports do not clear it before they change the opinion."""
        if said is Opinion.BAD:
            return replace(self, detail=report.detail, failed=report.failed or _failed_by(report.detail))
        return self if self.opinion is Opinion.BAD else replace(self, detail="", failed=())

    def _on_opinion(self, said: Opinion, rules: PoolHealth) -> "Health":
        if said is self.opinion:
            return replace(self, contrary=0)
        needed = {Opinion.UNKNOWN: 1, Opinion.GOOD: rules.falls, Opinion.BAD: rules.rises}[self.opinion]
        if self.contrary + 1 < needed:
            return replace(self, contrary=self.contrary + 1)
        risen = replace(self, opinion=said, contrary=0)
        return replace(risen, detail="", failed=()) if said is Opinion.GOOD else risen

    def is_silent(self, now: float, rules: PoolHealth) -> bool:
        """A member that is down can fall silent as well: then nothing is known of its sessions any more."""
        return self.opinion is not Opinion.UNKNOWN and now - self.heard_at > rules.silence_s

    def is_heard(self, now: float, rules: PoolHealth) -> bool:
        return self.opinion is Opinion.GOOD and not self.is_silent(now, rules)

    def on_silence(self, rules: PoolHealth) -> "Health":
        detail = f"no report for {rules.silence_s:g} s"
        return replace(self, opinion=Opinion.BAD, contrary=0, detail=detail, failed=(), is_remembered=False)

    def unheard_s(self, now: float, rules: PoolHealth) -> float | None:
        """Return for how long no report has come, if that is longer than the policy allows; else None."""
        silence_s = now - self.heard_at
        return silence_s if silence_s > rules.silence_s else None


def _failed_by(detail: str) -> tuple[CheckKind, ...]:
    """Return the check that an agent of the first release names first: `clamd:HOST:PORT: ...`.

    Such an agent does not report `failed`.
    """
    first = detail.partition(":")[0]
    return tuple(kind for kind in CheckKind if kind.value == first)


def trusted(now: float) -> Health:
    """A member at the controller's start: healthy until a report, or silence, says that it is not."""
    return Health(Opinion.GOOD, heard_at=now)
