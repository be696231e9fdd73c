"""Commands about what switches hold at this moment, which they are asked for."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.runtime.commands.base import Command
from controller.sync.receipts import Sighting


@dataclass(frozen=True, slots=True)
class CountFlows(Command[int]):
    """Ask all switches for their flows under cookies, each with its mask; return the look-up's number.

    They are also asked for the groups and meters that these flows name.
    `ReadCounts` returns the answers. Only the first 200 cookies are asked for.
    """

    cookies: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ReadCounts(Command[Mapping[str, Sighting] | None]):
    """Return what each switch has answered, once. None: not every switch has; `is_last`: do not wait."""

    number: int
    is_last: bool
