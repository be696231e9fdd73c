"""Settings of a switch port that no flow shows: tags, queues, limits, and protocols of the switch itself.

They are compared with what they were when the bridge was last good. Pure.
"""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from controller.drift.bridge_record import BridgeInterface, ColumnValues, settings_in

# What the value is set to if it was not set; None: the column is cleared.
_PORT = dict.fromkeys(("tag", "trunks", "cvlans", "vlan_mode", "qos", "bond_mode", "lacp")) | {
    "protected": "false"
}
_INTERFACE = dict.fromkeys(("bfd", "cfm_mpid", "lldp", "mtu_request")) | dict.fromkeys(
    (
        "ingress_policing_rate",
        "ingress_policing_burst",
        "ingress_policing_kpkts_rate",
        "ingress_policing_kpkts_burst",
    ),
    "0",
)
PORT_COLUMNS = tuple(_PORT)
INTERFACE_COLUMNS = tuple(_INTERFACE)
QOS = "qos"  # it refers to other rows; its value here is a digest of them


def port_settings(port: Mapping[str, Any], interface: Mapping[str, Any]) -> ColumnValues:
    """Return the columns of a port and of its interface that are not what they are by default."""
    rows = (port, PORT_COLUMNS), (interface, INTERFACE_COLUMNS)
    found = ((column, row.get(column)) for row, columns in rows for column in columns)
    # There may be 100,000 ports. Whatever is 0, false or empty is a default, except for tag 0.
    return settings_in(
        {column: value for column, value in found if value or (column == "tag" and value == 0)}
    )


def changed_settings(now: BridgeInterface, good: BridgeInterface) -> Iterator[tuple[str, str, str]]:
    """Yield column, value now, and value before; "" stands for the default."""
    before, after = dict(good.settings), dict(now.settings)
    for column in (*PORT_COLUMNS, *INTERFACE_COLUMNS):
        if (was := before.get(column, "")) != (value := after.get(column, "")):
            yield column, value, was


def setting_remedy(name: str, column: str, was: str, accept: str) -> str:
    """Return what to do about a changed setting of an interface. `accept`: how to accept it."""
    if column == QOS and was:
        return f"set it back as it was; {accept}"
    return f"ovs-vsctl {shlex.join(_change(column, was, name, name))}; {accept}"


def port_repair(now: BridgeInterface, good: BridgeInterface) -> Iterator[list[str]]:
    for column, _, was in changed_settings(now, good):
        if column != QOS or not was:
            yield _change(column, was, now.port_row, now.row)


def _change(column: str, was: str, port: str, interface: str) -> list[str]:
    table, row = ("Port", port) if column in _PORT else ("Interface", interface)
    default = _PORT.get(column) or _INTERFACE.get(column)
    if value := was or default:
        return ["set", table, row, f"{column}={value}"]
    return ["clear", table, row, column]
