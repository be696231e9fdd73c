"""What has happened outside: events from switches and from the clock."""

from dataclasses import dataclass

from controller.policy.model import PortRef
from controller.runtime.switches import Channel
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
class TimePassed:
    """Time has passed: deadlines, probes and limits may be due."""


RuntimeEvent = (
    SwitchConnected | SwitchDisconnected | OutcomeReceived | ProbeHeard | PacketsSampled | TimePassed
)
