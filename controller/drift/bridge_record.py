"""A bridge as Open vSwitch's database describes it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.drift.vsctl import value_of
from controller.topology.ports import PortUse

_UNNUMBERED = 0  # the device could not be opened, or the switch has not given it a number yet
_LOCAL = 65_534  # the bridge's own port, in the database (OFPP_LOCAL is 0xfffffffe in OpenFlow)
ColumnValues = tuple[tuple[str, str], ...]  # column and value, as ovs-vsctl reads it


@dataclass(frozen=True, slots=True)
class BridgeController:
    """`settings`: columns that are restored, not compared. `is_own`: it leads to this very controller.

    `wrong`: settings with which the switch would not report everything to this controller.
    """

    target: str
    mode: str = ""  # connection_mode; empty: Open vSwitch's default
    settings: ColumnValues = ()
    is_own: bool = False
    row: str = ""
    wrong: ColumnValues = ()

    @property
    def key(self) -> tuple[str, str]:
        return self.target, self.mode

    def __str__(self) -> str:
        return f"{self.target}{f' ({self.mode})' if self.mode else ''}"


@dataclass(frozen=True, slots=True)
class BridgeExport:
    """A report of packets to a collector. `kind`: netflow, sflow or ipfix. `settings`: its whole row.

    `labels`: what its owner has written beside it. They are restored, not compared.
    """

    kind: str
    settings: ColumnValues = ()
    labels: ColumnValues = field(default=(), compare=False)

    def __str__(self) -> str:
        row = dict(self.settings)
        targets = row.pop("targets", "nowhere").strip("[]").replace('"', "")
        rest = ", ".join(f"{column}={value}" for column, value in row.items())
        return f"{self.kind} reports packets to {targets}{f' ({rest})' if rest else ''}"


@dataclass(frozen=True, slots=True)
class BridgeInterface:
    """`number`: its OpenFlow port; 0: none. `options`: a digest, since a tunnel's options may be secret.

    `settings`: columns of the interface and of its port that change what the port lets through, and that have
    another value than Open vSwitch's default. `row`, `port_row`: where they are.
    """

    name: str
    number: int
    kind: str = ""
    options: str = ""
    settings: ColumnValues = ()
    row: str = field(default="", compare=False)
    port_row: str = field(default="", compare=False)

    @property
    def device(self) -> tuple[str, int, str, str]:
        return self.name, self.number, self.kind, self.options

    @property
    def has_number(self) -> bool:
        return self.number != _UNNUMBERED

    def __str__(self) -> str:
        return f"interface {self.name}{f' ({self.kind})' if self.kind else ''}"


@dataclass(frozen=True, slots=True)
class LimitedTable:
    """A table in which Open vSwitch refuses or removes flows. `name`: what an operator has named it."""

    number: int
    name: str
    limits: ColumnValues

    def __str__(self) -> str:
        limits = ", ".join(f"{column}={value}" for column, value in self.limits)
        return f"table {self.number}{f' ({self.name})' if self.name else ''} has {limits}"


@dataclass(frozen=True, slots=True)
class BridgeRecord:
    """`row`: identity in the database; a bridge that is created again has another one.

    `dpid`: 0: none yet. `wrong`: settings that are not what every bridge must have. `managers`: programs that
    may change all bridges of this machine. `unaccepted`: what was foreign when the bridge was first seen, and
    was not accepted since.
    """

    row: str
    name: str
    dpid: int
    wrong: ColumnValues = ()
    datapath_type: str = ""
    controllers: tuple[BridgeController, ...] = ()
    mirrors: tuple[str, ...] = ()
    exports: tuple[BridgeExport, ...] = ()
    limited_tables: tuple[LimitedTable, ...] = ()
    managers: tuple[str, ...] = ()
    interfaces: tuple[BridgeInterface, ...] = ()
    unaccepted: tuple[str, ...] = ()

    @property
    def leads_here(self) -> bool:
        return any(each.is_own for each in self.controllers)

    @property
    def interface_by_port(self) -> dict[int, BridgeInterface]:
        return {each.number: each for each in self.interfaces if each.number not in (_UNNUMBERED, _LOCAL)}

    @property
    def labels(self) -> tuple[ColumnValues, ...]:
        """Return those of its exports, which a comparison of records leaves out."""
        return tuple(each.labels for each in self.exports)

    @property
    def export_by_kind(self) -> dict[str, BridgeExport]:
        return {each.kind: each for each in self.exports}


@dataclass(frozen=True, slots=True)
class WatchedBridge:
    """A switch of the policy, what its bridge was when it was last `good`, and what it is now.

    `ports`: what the policy connects to each port. `doubles`: other bridges with the same datapath id.
    """

    switch: str
    dpid: int
    ports: Mapping[int, PortUse]
    good: BridgeRecord
    found: BridgeRecord | None = None
    doubles: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.found.name if self.found else self.good.name

    @property
    def is_ours(self) -> bool:
        """Return whether it may be changed: it has the policy's datapath id, or had it in the same row."""
        return self.found is not None and (self.found.dpid == self.dpid or self.found.row == self.good.row)


def settings_in(columns: Mapping[str, object]) -> ColumnValues:
    """Return the columns that are set, as ovs-vsctl reads them."""
    return tuple(
        (column, value_of(value)) for column, value in columns.items() if value not in (None, [], {}, "")
    )
