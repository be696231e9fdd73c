"""What came back from a switch: past tense, plain values, no bytes of a protocol."""

from dataclasses import dataclass

from controller.sync.state import WireState


@dataclass(frozen=True, slots=True)
class Port:
    """A port as the switch describes it (OpenFlow 1.4, 7.2.1)."""

    number: int
    mac: str
    name: str
    is_down: bool


@dataclass(frozen=True, slots=True)
class SwitchRead:
    attempt: int
    installed: WireState
    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class PlanConfirmed:
    attempt: int


@dataclass(frozen=True, slots=True)
class PlanRefused:
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class PortChanged:
    port: Port
    was_deleted: bool


@dataclass(frozen=True, slots=True)
class FlowsCounted:
    """How many packets have matched the flows with a cookie."""

    cookie: int
    packets: int


Outcome = SwitchRead | PlanConfirmed | PlanRefused | PortChanged | FlowsCounted
