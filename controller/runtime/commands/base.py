"""A command: what to do or read, as plain values, with the type of its result."""

from dataclasses import dataclass
from typing import Generic, TypeVar

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Command(Generic[R_co]):
    """Frozen and serialisable; `R_co` is the result. Each command has one handler, in `handlers`."""
