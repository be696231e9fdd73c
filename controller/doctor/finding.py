"""What the doctor says: one finding for each thing looked at."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    GOOD = "good"
    LOST = "lost"  # something optional is missing; the rest works
    WRONG = "wrong"  # something must be done


@dataclass(frozen=True, slots=True)
class Finding:
    """No remedy: nothing to do. `lost`: what does not work, where the rest works without the remedy."""

    subject: str
    fact: str
    remedy: str = ""
    lost: str = ""

    @property
    def level(self) -> Level:
        if self.lost:
            return Level.LOST
        return Level.WRONG if self.remedy else Level.GOOD

    def to_record(self) -> dict[str, str]:
        return {"level": self.level.value, **asdict(self)}
