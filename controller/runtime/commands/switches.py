"""Commands about the edge as a whole: its switches, and what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from controller.pools.unheard import UnheardMember
from controller.runtime.commands.base import Change, Command


@dataclass(frozen=True, slots=True)
class SwitchStatus:
    """`flows`: how many it must hold. `confirmed_revision`: 0 while the switch is not connected.

    `is_confirmed`: it holds now what it should hold. `watched`: how changes by others are noticed, in words.
    `drift`: how many differences are open. `repairs`: within the last hour. `is_busy`: more is to come by
    itself, a repair for example.
    """

    name: str
    dpid: int
    is_connected: bool
    phase: str
    confirmed_revision: int
    flows: int
    flows_sent: int
    last_plan: str
    problems: tuple[str, ...]
    is_confirmed: bool = False
    watched: str = ""
    drift: int = 0
    repairs: int = 0
    is_busy: bool = False


@dataclass(frozen=True, slots=True)
class EdgeStatus:
    """`unknown_switches`: dpids. `floods`: first packets per second of each tenant that exceeds its limit.

    `unwatched`: switches whose bridges cannot be seen from here, which is not an error. `is_held_back`: what
    is compiled for the network as it is now waits for its proof, so the switches do not have it yet.
    """

    revision: int
    file: str
    switches: tuple[SwitchStatus, ...]
    unknown_switches: tuple[int, ...]
    empty_pools: tuple[str, ...]
    unheard: tuple[UnheardMember, ...]
    cabling: tuple[str, ...]
    floods: Mapping[str, float]
    unwatched: tuple[str, ...] = ()
    is_held_back: bool = False


@dataclass(frozen=True, slots=True)
class ReadStatus(Command[EdgeStatus | None]):
    """None: no policy has been accepted yet."""


class Settling(StrEnum):
    """How far switches have confirmed what is desired."""

    WAITING = "waiting"  # a connected switch has not confirmed it yet
    PARTLY = "partly"  # no more is on its way, but a switch is not connected, or others have changed it
    CONFIRMED = "confirmed by all"  # all switches of the policy hold it


@dataclass(frozen=True, slots=True)
class ReadSettled(Command[Settling]):
    """Return how far switches hold all that is desired now, and nothing else.

    `with_plans`: including plans that wait for their proof. Decisions do not wait for those.
    """

    with_plans: bool = True


@dataclass(frozen=True, slots=True)
class AcceptBridge(Change[bool]):
    """Take a bridge as it is now for good: its controllers, its protocols, and the interfaces of its ports.

    A bridge that is not on this machine any more is forgotten. Of a switch on another machine, or with the
    database off, the interfaces at the policy's ports are taken as OpenFlow shows them. Return whether there
    was anything to accept. Raises `StoreError`.
    """

    switch: str

    @property
    def subject(self) -> str:
        return f"accept the bridge of {self.switch}"

    def refusal(self, result: object) -> str:
        return (
            ""
            if result
            else f"{self.switch} is not connected, and Open vSwitch has no bridge with its datapath id"
        )
