"""Values inside records, and their limits. A limit stands beside the type: `Annotated[int, Range(1, 9)]`."""

import re
from collections.abc import Sized
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Protocol

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Limit(Protocol):
    def check(self, value: object) -> None:
        """Raise `ValueError`, which says what is wrong, if the value is beyond the limit."""


@dataclass(frozen=True, slots=True)
class Range:
    """A number between two others, both included."""

    low: float
    high: float

    def check(self, value: object) -> None:
        assert isinstance(value, int | float)
        if not self.low <= value <= self.high:  # also not for NaN
            raise ValueError(f"{value} is outside {self.low:g}..{self.high:g}")


@dataclass(frozen=True, slots=True)
class AtMost:
    """A list with at most so many items."""

    count: int

    def check(self, value: object) -> None:
        assert isinstance(value, Sized)
        if len(value) > self.count:
            raise ValueError(f"more than {self.count} items")


@dataclass(frozen=True, slots=True)
class Matching:
    """A text that a regular expression matches as a whole. `what` names such a text."""

    pattern: str
    what: str

    def check(self, value: object) -> None:
        assert isinstance(value, str)
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"{value!r:.60} is not {self.what}")


Port = Annotated[int, Range(1, 65_535)]
PlainText = Annotated[str, Matching(r"[^\r\n\x80-\U0010ffff]{0,500}", "a line of ASCII text")]
