"""Commands about drift: what switches hold differently from what they should hold."""

from dataclasses import dataclass

from controller.drift.ledger import DriftRecord
from controller.policy.model import DriftMode
from controller.runtime.commands.base import Command


@dataclass(frozen=True, slots=True)
class DriftRow:
    """`place`: `file:line:column` of the rule; empty for what no line of the policy asks for."""

    record: DriftRecord
    place: str


@dataclass(frozen=True, slots=True)
class SwitchDrift:
    """`open_count` includes differences that are only counted. `repairs`: within the last hour.

    `ended`: within the last hour, the latest first. `watched`: how changes are noticed, in words. `refusal`:
    why the switch has refused the last repair, if it has. `unknown`: why it is not known now what the switch
    holds, with a remedy; empty: it is known. `unwatched`: the same about its bridge, which OpenFlow does not
    show; `is_blind`: that is an error, and not a setting.
    """

    switch: str
    open_count: int
    open: tuple[DriftRow, ...]
    ended: tuple[DriftRow, ...]
    repairs: int
    watched: str
    refusal: str
    unknown: str = ""
    unwatched: str = ""
    is_blind: bool = False


@dataclass(frozen=True, slots=True)
class EdgeDrift:
    mode: DriftMode
    switches: tuple[SwitchDrift, ...]


@dataclass(frozen=True, slots=True)
class ReadDrift(Command[EdgeDrift | None]):
    """None: no policy has been accepted yet."""
