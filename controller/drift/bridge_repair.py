"""What `ovs-vsctl` is told to put a bridge right. Pure."""

from collections.abc import Iterator

from controller.drift.bridge_record import (
    BridgeController,
    BridgeExport,
    BridgeInterface,
    BridgeRecord,
    WatchedBridge,
)
from controller.drift.bridge_settings import CONTROLLER_SETTINGS, repairs
from controller.drift.port_settings import port_repair
from controller.drift.vsctl import quoted

EXPORT_TABLES = {"netflow": "NetFlow", "sflow": "sFlow", "ipfix": "IPFIX"}


def build_repair(bridge: WatchedBridge) -> tuple[str, ...]:
    """Return arguments of `ovs-vsctl` that put right, in one transaction, what can be put right.

    It names rows, so a bridge that took the place of this one meanwhile is not changed. Which device belongs
    to a port is not repaired: that is not known for certain. What waits to be accepted is left alone.
    """
    found = bridge.found
    if found is None or not bridge.is_ours:
        return ()
    commands = [*_of_bridge(bridge, found), *_of_controllers(bridge, found), *_of_ports(bridge, found)]
    return tuple(word for command in commands for word in ("--", *command))


def _of_bridge(bridge: WatchedBridge, found: BridgeRecord) -> Iterator[list[str]]:
    yield from repairs(found.row, found.wrong)
    if found.dpid != bridge.dpid:
        yield ["set", "Bridge", found.row, f"other-config:datapath-id={bridge.dpid:016x}"]
    if has_other_datapath(bridge, found):
        yield ["set", "Bridge", found.row, f"datapath_type={bridge.good.datapath_type or quoted('')}"]
    if found.mirrors:
        yield ["clear", "Bridge", found.row, "mirrors"]
    for table in found.limited_tables:
        yield from _without_limit(found.row, table.number, table.name)
    for export in foreign_exports(bridge, found):
        yield from _export(found.row, export.kind, bridge.good.export_by_kind.get(export.kind))


def _of_controllers(bridge: WatchedBridge, found: BridgeRecord) -> Iterator[list[str]]:
    for each in foreign_controllers(bridge, found):
        if f"controller {each}" not in bridge.good.unaccepted:
            yield ["remove", "Bridge", found.row, "controller", each.row]
    for each in found.controllers:
        for column, _ in each.wrong:
            yield ["set", "Controller", each.row, f"{column}={CONTROLLER_SETTINGS[column]}"]
    for number, each in enumerate(missing_controllers(bridge, found)):
        yield [f"--id=@c{number}", "create", "Controller", *_columns(each)]
        yield ["add", "Bridge", found.row, "controller", f"@c{number}"]


def has_other_datapath(bridge: WatchedBridge, found: BridgeRecord) -> bool:
    """Return whether it uses another datapath; "system" is the one that an empty text stands for."""
    return (found.datapath_type or "system") != (bridge.good.datapath_type or "system")


def foreign_controllers(bridge: WatchedBridge, found: BridgeRecord) -> list[BridgeController]:
    """This controller is not foreign at a new address, but its connection mode is not others' to change."""
    keys = {each.key for each in bridge.good.controllers}
    targets = {each.target for each in bridge.good.controllers}
    return [
        each
        for each in found.controllers
        if each.key not in keys and not (each.is_own and each.target not in targets)
    ]


def missing_controllers(bridge: WatchedBridge, found: BridgeRecord) -> list[BridgeController]:
    foreign = {each.key for each in foreign_controllers(bridge, found)}
    kept = [each for each in found.controllers if each.key not in foreign]
    keys, has_own = {each.key for each in kept}, any(each.is_own for each in kept)
    return [
        each for each in bridge.good.controllers if each.key not in keys and not (each.is_own and has_own)
    ]


def wanted_controllers(bridge: WatchedBridge, found: BridgeRecord) -> list[BridgeController]:
    foreign = foreign_controllers(bridge, found)
    kept = [each for each in found.controllers if each not in foreign]
    return [*kept, *missing_controllers(bridge, found)]


def foreign_exports(bridge: WatchedBridge, found: BridgeRecord) -> Iterator[BridgeExport]:
    """Yield exports that were added or changed since the bridge was good."""
    for each in found.exports:
        if each != bridge.good.export_by_kind.get(each.kind) and str(each) not in bridge.good.unaccepted:
            yield each


def changed_ports(
    bridge: WatchedBridge, found: BridgeRecord
) -> Iterator[tuple[int, BridgeInterface, BridgeInterface]]:
    """Yield ports of the policy whose interface is still there: number, what it is now, and what it was."""
    by_name = {each.name: each for each in found.interfaces}
    for number, good in sorted(bridge.good.interface_by_port.items()):
        now = by_name.get(good.name)
        if number in bridge.ports and now is not None and now.options == good.options:
            yield number, now, good


def _of_ports(bridge: WatchedBridge, found: BridgeRecord) -> Iterator[list[str]]:
    for _, now, good in changed_ports(bridge, found):
        if now.kind != good.kind:
            yield ["set", "Interface", now.row, f"type={good.kind or quoted('')}"]
        yield from port_repair(now, good)


def _without_limit(row: str, number: int, name: str) -> Iterator[list[str]]:
    """Its row may belong to another bridge, too; so this bridge gets a new one."""
    if not name:
        yield ["remove", "Bridge", row, "flow_tables", str(number)]
        return
    yield [f"--id=@t{number}", "create", "Flow_Table", f"name={quoted(name)}"]
    yield ["set", "Bridge", row, f"flow_tables:{number}=@t{number}"]


def _export(row: str, kind: str, good: BridgeExport | None) -> Iterator[list[str]]:
    if good is None:
        yield ["clear", "Bridge", row, kind]
        return
    columns = [f"{column}={value}" for column, value in (*good.settings, *good.labels)]
    yield [f"--id=@{kind}", "create", EXPORT_TABLES[kind], *columns]
    yield ["set", "Bridge", row, f"{kind}=@{kind}"]


def _columns(controller: BridgeController) -> Iterator[str]:
    yield f"target={quoted(controller.target)}"
    if controller.mode:
        yield f"connection_mode={controller.mode}"
    yield from (f"{column}={value}" for column, value in controller.settings)
