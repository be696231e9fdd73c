"""The doctor's findings: one for each thing that was checked."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class FindingLevel(StrEnum):
    GOOD = "good"
    LOST = "lost"  # something optional is missing; the rest works
    WRONG = "wrong"  # something must be done


@dataclass(frozen=True, slots=True)
class Finding:
    """Without a remedy there is nothing to do. `lost` says what does not work although the rest does."""

    subject: str
    fact: str
    remedy: str = ""
    lost: str = ""

    @property
    def level(self) -> FindingLevel:
        if self.lost:
            return FindingLevel.LOST
        return FindingLevel.WRONG if self.remedy else FindingLevel.GOOD

    def to_record(self) -> dict[str, str]:
        return {"level": self.level.value, **asdict(self)}
