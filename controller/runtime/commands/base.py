"""A command: what is to be done or read, as plain values, with the type of its result."""

from dataclasses import dataclass
from typing import Generic, TypeVar

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Command(Generic[R_co]):
    """Frozen and serialisable; `R_co` is the result. `handlers` has the one handler of each command."""
