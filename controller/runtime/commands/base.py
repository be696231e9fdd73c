"""A command: what to do or read, as plain values, with the type of its result."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Command(Generic[R_co]):
    """Frozen and serialisable; `R_co` is the result. Each command has one handler, in `handlers`."""


@dataclass(frozen=True, slots=True)
class Change(Command[R_co], ABC):
    """A command by which a client changes what the edge does; the journal has a line for each.

    Other commands read, or report what was measured.
    """

    @property
    @abstractmethod
    def subject(self) -> str:
        """What the change is about, in a few words and without secrets."""

    def refusal(self, result: object) -> str:
        """Return why nothing was changed, if so. With the result None, False or 0 there was nothing to do."""
        return "there is nothing to change" if result is None or result == 0 else ""
