"""What the doctor says: one finding for each thing looked at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """No remedy: all is well."""

    subject: str
    fact: str
    remedy: str = ""

    @property
    def is_good(self) -> bool:
        return not self.remedy
