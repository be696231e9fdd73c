"""The envelope of a command: by which principal, why and when, so that it can be logged or forwarded."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from controller.runtime.commands.base import Command
from controller.runtime.principals import Principal

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Asked(Generic[R_co]):
    """`reason`: why, in the words of the principal; it may be empty. `at_utc`: seconds since 1970, UTC."""

    command: Command[R_co]
    by: Principal
    reason: str
    at_utc: float


class Asker(Protocol):
    """Makes the runtime execute a command, waits, and returns the result or raises the error."""

    def __call__(self, asked: Asked[R], /) -> R: ...
