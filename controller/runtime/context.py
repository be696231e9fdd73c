"""What handlers know about a command besides the command itself."""

from collections.abc import Callable
from dataclasses import dataclass

from controller.runtime.principals import Principal


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic`: seconds, for deadlines. `utc`: seconds since 1970, for display and for the store."""

    monotonic: Callable[[], float]
    utc: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Context:
    """`now`: monotonic, when the command is executed. `utc`: when it was requested. `reason`: why."""

    now: float
    utc: float
    by: Principal
    reason: str = ""
