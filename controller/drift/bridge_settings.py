"""What every bridge of an edge must be set to, whatever the policy says. Pure.

Each setting has an effect that no flow shows.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.drift.bridge_record import ColumnValues, LimitedTable, settings_in
from controller.drift.model import DriftKind

OPENFLOW = "OpenFlow14"
_LIMITS = ("flow_limit", "overflow_policy", "groups")
_LONGEST_TEXT = 200
_SPANNING_TREE = "the switch blocks ports and consumes frames by itself"


@dataclass(frozen=True, slots=True)
class BridgeSetting:
    """`column`: as ovs-vsctl writes it. `default`: what Open vSwitch does if it is not set.

    `effect`: what happens with any other value than the one that is wanted.
    """

    column: str
    wanted: str
    default: str
    effect: str
    kind: DriftKind = DriftKind.BRIDGE

    @property
    def assignment(self) -> str:
        return f"{self.column}={self.wanted}"


BRIDGE_SETTINGS = (
    BridgeSetting(
        "fail_mode",
        "secure",
        "standalone",
        "a hidden flow forwards everything without a controller",
        DriftKind.FAIL_MODE,
    ),
    BridgeSetting(
        "other_config:disable-in-band",
        "true",
        "false",
        "hidden flows above all tables forward packets that carry a controller's address",
    ),
    BridgeSetting(
        "protocols",
        OPENFLOW,
        "every version",
        "an older version can make a table forward packets that match no flow",
    ),
    BridgeSetting("stp_enable", "false", "false", _SPANNING_TREE),
    BridgeSetting("rstp_enable", "false", "false", _SPANNING_TREE),
    BridgeSetting(
        "mcast_snooping_enable", "false", "false", "multicast goes where the switch has learned, with NORMAL"
    ),
    BridgeSetting(
        "other_config:forward-bpdu", "false", "false", "control frames between switches pass, with NORMAL"
    ),
)
SETTING_BY_COLUMN = {each.column: each for each in BRIDGE_SETTINGS}
BRIDGE_COLUMNS = tuple({each.column.partition(":")[0]: None for each in BRIDGE_SETTINGS})
CONTROLLER_SETTINGS = {"type": "primary", "enable_async_messages": "true"}  # also if they are not set
_SET_UP = tuple(each.assignment for each in BRIDGE_SETTINGS if each.wanted != each.default)


def wrong_settings(row: Mapping[str, Any]) -> ColumnValues:
    """Return the columns of a row of table Bridge that are not as they must be, and what they are."""
    return tuple((each.column, now) for each in BRIDGE_SETTINGS if (now := _value(row, each)) != each.wanted)


def _value(row: Mapping[str, Any], setting: BridgeSetting) -> str:
    column, _, key = setting.column.partition(":")
    value = row.get(column)
    if key:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, list):
        value = " ".join(sorted(map(str, value)))
    text = "" if value is None else str(value)[:_LONGEST_TEXT]
    is_switch = setting.wanted in ("true", "false")
    return (text.lower() if is_switch else text) or setting.default


def wrong_controller_settings(row: Mapping[str, Any]) -> ColumnValues:
    """Return the columns of a row of table Controller that keep ports from it, and what they are."""
    values = settings_in({column: row.get(column) for column in CONTROLLER_SETTINGS})
    return tuple((column, now) for column, now in values if now != CONTROLLER_SETTINGS[column])


def limited_tables(tables: Mapping[int, Mapping[str, Any]]) -> tuple[LimitedTable, ...]:
    """Return which of a bridge's rows of Flow_Table limit what a table may hold."""
    found = []
    for number, row in sorted(tables.items()):
        if limits := settings_in({column: row.get(column) for column in _LIMITS}):
            name = row.get("name")
            found.append(LimitedTable(number, name[:_LONGEST_TEXT] if isinstance(name, str) else "", limits))
    return tuple(found)


def setting_problem(name: str, column: str, value: str) -> tuple[str, str]:
    """Return what a wrong setting of a bridge does, and a remedy."""
    setting = SETTING_BY_COLUMN[column]
    return (
        f"{column} is {value}: {setting.effect}",
        f"ovs-vsctl set bridge {shlex.quote(name)} {setting.assignment}",
    )


def set_up(name: str) -> str:
    """Return the arguments of `ovs-vsctl` that prepare a bridge, before it gets a controller."""
    return f"set bridge {shlex.quote(name)} {' '.join(_SET_UP)}"


def set_up_with_controller(name: str, target: str) -> str:
    return f"ovs-vsctl {set_up(name)} -- set-controller {shlex.quote(name)} {shlex.quote(target)}"


def repairs(row: str, wrong: ColumnValues) -> Iterator[list[str]]:
    """Yield commands of `ovs-vsctl` that put a bridge's settings right."""
    if wrong:
        yield ["set", "Bridge", row, *(SETTING_BY_COLUMN[column].assignment for column, _ in wrong)]
