"""Commands about the edge as a whole: its switches, and what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.runtime.commands.base import Command


@dataclass(frozen=True, slots=True)
class SwitchStatus:
    """`flows`: how many it must hold. `confirmed_revision`: 0 while the switch is not connected."""

    name: str
    dpid: int
    is_connected: bool
    phase: str
    confirmed_revision: int
    flows: int
    flows_sent: int
    last_plan: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EdgeStatus:
    """`unknown_switches`: dpids. `floods`: first packets per second of each tenant that exceeds its limit."""

    revision: int
    file: str
    switches: tuple[SwitchStatus, ...]
    unknown_switches: tuple[int, ...]
    empty_pools: tuple[str, ...]
    cabling: tuple[str, ...]
    floods: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ReadStatus(Command[EdgeStatus | None]):
    """None: no policy has been accepted yet."""


@dataclass(frozen=True, slots=True)
class ReadSettled(Command[bool]):
    """Return whether every connected switch has confirmed all that is desired."""
