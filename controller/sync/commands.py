"""What a session asks its switch for."""

from dataclasses import dataclass

from controller.sync.plan import Plan


@dataclass(frozen=True, slots=True)
class ReadSwitch:
    """Ask the switch for all its flows and groups."""

    attempt: int


@dataclass(frozen=True, slots=True)
class ReadGroups:
    """Ask the switch for its groups and meters only."""

    turn: int


@dataclass(frozen=True, slots=True)
class SendPlan:
    attempt: int
    plan: Plan
    is_repair: bool = False  # and nothing else


SwitchCommand = ReadSwitch | ReadGroups | SendPlan
