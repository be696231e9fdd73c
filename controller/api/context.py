"""What resources of the API need from whoever serves it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from controller.pools.conntrack import Counts
from controller.runtime import Runtime

T = TypeVar("T")
Ask = Callable[[Callable[[Runtime], T]], T]


@dataclass(frozen=True, slots=True)
class Outside:
    now: Callable[[], float]
    packet_ins: Mapping[int, int]
    count_sessions: Callable[[], Counts | None]  # None: cannot be counted here
    utc: Callable[[], float]
    sleep: Callable[[float], None]  # lets others work meanwhile
