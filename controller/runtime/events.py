"""What has happened outside: events from switches and from the clock."""

from dataclasses import dataclass

from controller.drift.bridge_record import BridgeRecord
from controller.policy.model import PortRef
from controller.prover.answer import ProverReport
from controller.runtime.channel import Channel
from controller.suspicion.scores import Evidence
from controller.sync.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class SwitchConnected:
    dpid: int
    channel: Channel


@dataclass(frozen=True, slots=True)
class SwitchDisconnected:
    dpid: int
    channel: Channel


@dataclass(frozen=True, slots=True)
class OutcomeReceived:
    """A switch has replied, or reported a port."""

    dpid: int
    channel: Channel
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class ProbeHeard:
    """A switch has received a probe at a port, which another one sent out of `origin`."""

    dpid: int
    channel: Channel
    port: int
    origin: PortRef


@dataclass(frozen=True, slots=True)
class PacketsSampled:
    """The switch has sampled first packets to addresses and ports that no tenant publishes."""

    facts: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class BridgesRead:
    """Open vSwitch's database on this machine has these bridges now, foreign ones included."""

    records: tuple[BridgeRecord, ...]


@dataclass(frozen=True, slots=True)
class BridgesUnread:
    """The database cannot be read. `is_wanted`: it should be; otherwise the operator has turned it off."""

    reason: str
    is_wanted: bool = True


@dataclass(frozen=True, slots=True)
class BridgeRepairEnded:
    """A repair of a bridge was made. `reason`: why it failed; empty: it did not."""

    switch: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProverReported:
    """The proving process has answered, has started or has ended."""

    report: ProverReport


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Time has passed: deadlines, probes and limits may be due."""


RuntimeEvent = (
    SwitchConnected
    | SwitchDisconnected
    | OutcomeReceived
    | ProbeHeard
    | PacketsSampled
    | BridgesRead
    | BridgesUnread
    | BridgeRepairEnded
    | ProverReported
    | TimePassed
)
