"""What handlers know of a command beside the command itself."""

from collections.abc import Callable
from dataclasses import dataclass

from controller.runtime.principals import Principal


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic`: seconds, for deadlines. `utc`: seconds since 1970, for people and for what is stored."""

    monotonic: Callable[[], float]
    utc: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Context:
    """`now`: monotonic, when the command is carried out. `utc`: when it was asked for."""

    now: float
    utc: float
    by: Principal
