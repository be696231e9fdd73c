"""What came back from a switch: past tense, plain values, no bytes of a protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from controller.sync.state import WireFlow, WireGroup, WireMeter, WireState

FIRST_RESERVED_PORT = 0xFFFF_FF00  # OpenFlow 1.4, 7.2.1: OFPP_MAX
LOCAL_PORT = 0xFFFF_FFFE  # the bridge itself


class PortConfig(IntFlag):
    """What a client may set at a port (OFPPC_*)."""

    DOWN = 1
    NO_RECEIVE = 4
    NO_FORWARD = 32
    NO_PACKET_IN = 64


PORT_UNTOUCHED = PortConfig(0)


@dataclass(frozen=True, slots=True)
class Port:
    """A port as the switch describes it (OpenFlow 1.4, 7.2.1).

    `is_down`: by its configuration or its link.
    """

    number: int
    mac: str
    name: str
    is_down: bool
    config: PortConfig = PORT_UNTOUCHED


class Fragments(IntEnum):
    """What a switch does with IP fragments (OFPC_FRAG_*; `NX_MATCH` is Open vSwitch's own)."""

    NORMAL = 0  # later fragments, and first ones, have no ports
    DROP = 1
    REASSEMBLE = 2
    NX_MATCH = 3  # first fragments have their ports


class TableConfig(IntFlag):
    """What a client may set at a table (OFPTC_*)."""

    EVICTION = 4
    VACANCY_EVENTS = 8


@dataclass(frozen=True, slots=True)
class SwitchSettings:
    """Settings of a switch as a whole. `tables`: of those that differ from how a table begins.

    `miss_send_len` is our connection's own. None: the switch has not said.
    """

    fragments: Fragments | None = None
    miss_send_len: int = 0
    tables: Mapping[int, TableConfig] | None = None


@dataclass(frozen=True, slots=True)
class SwitchRead:
    attempt: int
    installed: WireState
    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class PlanCommitted:
    """The plan took effect just now: what was reported before came before it, what follows comes after it."""

    attempt: int


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
class PortsRead:
    """All ports at one time. A switch does not report what we have changed at a port ourselves."""

    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class ResetRefused:
    """The switch has refused to put its ports or settings back, or some of them."""

    reason: str


@dataclass(frozen=True, slots=True)
class FoundFlow:
    """A flow that a switch holds. `age_s`: since it was added or replaced."""

    flow: WireFlow
    packets: int
    bytes: int
    age_s: int


@dataclass(frozen=True, slots=True)
class FlowsFound:
    """What a switch holds under some cookies. `number`: of the request. `is_whole`: no flow is left out."""

    number: int
    flows: tuple[FoundFlow, ...]
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class PartsFound:
    """The groups and meters that were asked for, and perhaps others. `number`: of the request."""

    number: int
    groups: Mapping[int, WireGroup]
    meters: Mapping[int, WireMeter]


@dataclass(frozen=True, slots=True)
class MonitorStarted:
    """From now on, the switch reports every change of its flows (OpenFlow 1.4, 7.3.5.17)."""


@dataclass(frozen=True, slots=True)
class MonitorRefused:
    reason: str


@dataclass(frozen=True, slots=True)
class FlowUpdate:
    """A flow was added or changed, or removed: by another client, or by the switch itself.

    `took_along`: it was removed because its group or meter was.
    """

    flow: WireFlow
    was_removed: bool = False
    took_along: bool = False


@dataclass(frozen=True, slots=True)
class FlowsChanged:
    """What a monitor has reported; our own changes are not among it.

    `was_paused`: the switch had no room for more reports, and keeps some back. `was_resumed`: it has reported
    what it had kept back.
    """

    updates: tuple[FlowUpdate, ...]
    was_paused: bool = False
    was_resumed: bool = False


@dataclass(frozen=True, slots=True)
class GroupsTouched:
    """Another client of the switch has changed its groups or meters."""


@dataclass(frozen=True, slots=True)
class GroupsRead:
    """All groups, meters and settings at one time; `turn` distinguishes late replies from current ones."""

    turn: int
    groups: Mapping[int, WireGroup]
    meters: Mapping[int, WireMeter]
    settings: SwitchSettings = field(default_factory=SwitchSettings)


Outcome = (
    SwitchRead
    | PlanCommitted
    | PlanConfirmed
    | PlanRefused
    | PortChanged
    | PortsRead
    | ResetRefused
    | FlowsFound
    | PartsFound
    | MonitorStarted
    | MonitorRefused
    | FlowsChanged
    | GroupsTouched
    | GroupsRead
)
