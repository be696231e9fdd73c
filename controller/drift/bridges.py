"""What is wrong with a bridge. Pure.

OpenFlow does not show which controllers a bridge has, what it does without one, or whether it copies packets
elsewhere. A bridge is compared with what every bridge must be, with the policy, and with what it was when it
was last good.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from controller.drift.bridge_record import BridgeInterface, BridgeRecord, WatchedBridge
from controller.drift.bridge_repair import (
    changed_ports,
    foreign_controllers,
    foreign_exports,
    has_other_datapath,
    missing_controllers,
    wanted_controllers,
)
from controller.drift.bridge_settings import CONTROLLER_SETTINGS, SETTING_BY_COLUMN, set_up, setting_problem
from controller.drift.model import Difference, DriftChange, DriftKind
from controller.drift.port_settings import changed_settings, setting_remedy
from controller.drift.vsctl import quoted


def find(watched: WatchedBridge, records: Sequence[BridgeRecord]) -> WatchedBridge:
    """Add the bridge as it is now: found by datapath id, otherwise by row, otherwise by name."""
    good = watched.good
    same = [each for each in records if each.dpid == watched.dpid]
    same.sort(key=lambda each: (each.row != good.row, each.name != good.name, each.name))
    rest = [each for each in records if each.row == good.row]
    rest += [each for each in records if each.name == good.name]
    found = next(iter([*same, *rest]), None)
    return replace(watched, found=found, doubles=tuple(each.name for each in same[1:]))


def learn(watched: WatchedBridge, found: BridgeRecord) -> BridgeRecord:
    """Return what to remember of a good bridge: ports of the policy, and those that have left it since.

    An interface that is known stays so while the policy uses its port, also when it has no number for a time:
    only an operator accepts the one that takes its place.
    """
    known = watched.good.interface_by_port
    kept = {number: each for number, each in known.items() if number in watched.ports}
    for number, each in found.interface_by_port.items():
        is_first = number in watched.ports and number not in known
        if is_first or (number in known and known[number].device == each.device):
            kept[number] = each
    return _with_interfaces(found, kept)


def accept(watched: WatchedBridge, found: BridgeRecord) -> BridgeRecord:
    """Return what to remember of a bridge that an operator takes as it is now.

    A port that has no interface now keeps its own, unless that is another port now.
    """
    by_name = {each.name: each for each in found.interfaces}
    known = watched.good.interface_by_port
    kept = {}
    for number, good in known.items():
        there = by_name.get(good.name, good)
        if number in watched.ports and (good.name not in by_name or not there.has_number):
            kept[number] = replace(there, number=number)
    for number, each in found.interface_by_port.items():
        if number in watched.ports or (number in known and known[number].device == each.device):
            kept[number] = each
    return _with_interfaces(found, kept)


def _with_interfaces(found: BridgeRecord, kept: Mapping[int, BridgeInterface]) -> BridgeRecord:
    interfaces = tuple(each for _, each in sorted(kept.items()))
    return replace(found, interfaces=interfaces, unaccepted=())


def learn_at_first_sight(watched: WatchedBridge, found: BridgeRecord) -> BridgeRecord:
    """Return what to remember of a bridge that was never seen before.

    Other controllers, collectors and managers may be there for a good reason, or not: an operator decides.
    """
    own = tuple(each for each in found.controllers if each.is_own)
    foreign = (f"controller {each}" for each in found.controllers if not each.is_own)
    unaccepted = (*foreign, *map(str, found.exports))
    learned = learn(watched, found)
    return replace(learned, controllers=own, exports=(), managers=(), unaccepted=unaccepted)


def compare(bridge: WatchedBridge) -> tuple[Difference, ...]:
    """Return everything that is wrong with a bridge."""
    return tuple(_differences(bridge))


def _differences(bridge: WatchedBridge) -> Iterator[Difference]:
    found, wanted = bridge.found, f"datapath id {bridge.dpid:016x}"
    name = shlex.quote(bridge.name)
    set_dpid = f"set Bridge {name} other-config:datapath-id={bridge.dpid:016x}"
    for each in bridge.doubles:
        text, remedy = f"{each} has the same {wanted}", f"ovs-vsctl del-br {shlex.quote(each)}"
        yield _foreign(bridge, DriftKind.BRIDGE, f"bridge {each}", text, remedy)
    if found is None:
        elsewhere = f"if it is on another machine now: postern drift --accept {bridge.switch}"
        remedy = f"ovs-vsctl add-br {name} -- {set_up(bridge.name)} -- {set_dpid}; {elsewhere}"
        yield _missing(bridge, DriftKind.BRIDGE, "bridge", bridge.name, remedy)
        return
    now = f"datapath id {found.dpid:016x}"
    if not bridge.is_ours:
        text = f"{bridge.name} was created again, with {now}"
        remedy = f"if it belongs to this edge: ovs-vsctl {set_dpid}"
        yield _changed(bridge, DriftKind.BRIDGE, "datapath id", (text, wanted), remedy)
        return
    if found.dpid != bridge.dpid:
        yield _changed(bridge, DriftKind.BRIDGE, "datapath id", (now, wanted), f"ovs-vsctl {set_dpid}")
    yield from _configuration(bridge, found)
    yield from _controllers(bridge, found)
    yield from _copies(bridge, found)
    yield from _ports(bridge, found)
    yield from _port_settings(bridge, found)


def _configuration(bridge: WatchedBridge, found: BridgeRecord) -> Iterator[Difference]:
    name = shlex.quote(found.name)
    for column, now in found.wrong:
        setting, (_, remedy) = SETTING_BY_COLUMN[column], setting_problem(found.name, column, now)
        is_kind = setting.kind is not DriftKind.BRIDGE
        text = now if is_kind else f"{column} is {now} ({setting.effect})"
        yield _changed(bridge, setting.kind, column, (text, setting.wanted), remedy)
    if has_other_datapath(bridge, found):
        now, was = (each.datapath_type or "system" for each in (found, bridge.good))
        remedy = f"ovs-vsctl set bridge {name} datapath_type={was}; {_accept(bridge)}"
        yield _changed(bridge, DriftKind.BRIDGE, "datapath_type", (f"datapath_type is {now}", was), remedy)
    for table in found.limited_tables:
        remedy = f"ovs-vsctl remove bridge {name} flow_tables {table.number}"
        both = f"{table}: flows are refused or removed", "no limit"
        yield _changed(bridge, DriftKind.BRIDGE, f"table {table.number}", both, remedy)


def _controllers(bridge: WatchedBridge, found: BridgeRecord) -> Iterator[Difference]:
    controllers = " ".join(shlex.quote(each.target) for each in wanted_controllers(bridge, found))
    remedy = f"ovs-vsctl set-controller {shlex.quote(found.name)} {controllers}"
    for each in foreign_controllers(bridge, found):
        key = f"controller {each}"
        is_unaccepted = key in bridge.good.unaccepted
        said = f"{_accept(bridge)}; otherwise: {remedy}" if is_unaccepted else remedy
        yield _foreign(bridge, DriftKind.CONTROLLER, key, _controller(each.target, str(each)), said)
    for each in missing_controllers(bridge, found):
        yield _missing(bridge, DriftKind.CONTROLLER, f"controller {each}", str(each), remedy)
    for each in found.controllers:
        for column, now in each.wrong:
            key, wanted = f"controller {each} {column}", f"{column}={CONTROLLER_SETTINGS[column]}"
            text = f"{each} has {column}={now}: the switch does not report its ports"
            set_it = f"ovs-vsctl set controller {each.row} {wanted}"
            yield _changed(bridge, DriftKind.CONTROLLER, key, (text, wanted), set_it)
    for target in sorted(set(found.managers) - set(bridge.good.managers)):
        text = f"manager {target} lets other programs change every bridge of this machine"
        remedy = (
            f"{_accept(bridge)}; otherwise: ovs-vsctl del-manager, and set-manager for those that you need"
        )
        yield _foreign(bridge, DriftKind.CONTROLLER, f"manager {target}", text, remedy)


def _controller(target: str, text: str) -> str:
    is_listener = target.startswith(("ptcp:", "pssl:", "punix:"))
    return f"{text} lets any program that connects there change all flows" if is_listener else text


def _copies(bridge: WatchedBridge, found: BridgeRecord) -> Iterator[Difference]:
    """Whatever shows packets to others: they may be mail."""
    clear = f"ovs-vsctl clear Bridge {shlex.quote(found.name)}"
    for each in found.mirrors:
        yield _foreign(bridge, DriftKind.MIRROR, f"mirror {each}", each, f"{clear} mirrors")
    for export in found.exports:
        if str(export) in bridge.good.unaccepted:
            said = f"{_accept(bridge)}; otherwise: {clear} {export.kind}"
            yield _foreign(bridge, DriftKind.MIRROR, export.kind, str(export), said)
    for export in foreign_exports(bridge, found):
        if good := bridge.good.export_by_kind.get(export.kind):
            both, said = (str(export), str(good)), f"{_accept(bridge)}; otherwise: {clear} {export.kind}"
            yield _changed(bridge, DriftKind.MIRROR, export.kind, both, said)
        else:
            yield _foreign(bridge, DriftKind.MIRROR, export.kind, str(export), f"{clear} {export.kind}")


def _ports(bridge: WatchedBridge, found: BridgeRecord) -> Iterator[Difference]:
    now, by_name = found.interface_by_port, {each.name: each for each in found.interfaces}
    moved = set()
    for number, good in sorted(bridge.good.interface_by_port.items()):
        there = by_name.get(good.name)
        if number not in bridge.ports or (number in now and now[number].device == good.device):
            continue
        # Without a number the device is gone, or not ready. If no other one has its number, nobody has
        # changed the bridge.
        is_waiting = there and not there.has_number and number not in now
        if there and is_waiting and there.device[2:] == good.device[2:]:
            continue
        if there and there.number != number:
            moved.add(there.number)
        yield replace(_port(bridge, number, good, there), rule=bridge.ports[number].rule)
    known = bridge.good.interface_by_port  # those that have left the policy are not foreign
    for number, interface in sorted(now.items()):
        is_known = number in known and known[number].device == interface.device
        if number not in bridge.ports and number not in moved and not is_known:
            text = f"{interface} is port {number}, which the policy does not use"
            names = shlex.join((found.name, interface.name))
            remedy = f"ovs-vsctl del-port {names}, or add the port to the policy"
            # No flow sends to it, and none admits what comes in by it; a switch may have spare ports.
            foreign = _foreign(bridge, DriftKind.PORT, f"port {number}", text, remedy)
            yield replace(foreign, may_be_meant=True)


def _port_settings(bridge: WatchedBridge, found: BridgeRecord) -> Iterator[Difference]:
    for number, now, good in changed_ports(bridge, found):
        for column, value, was in changed_settings(now, good):
            both = tuple(f"{column}={each}" if each else f"no {column}" for each in (value, was))
            remedy = setting_remedy(now.name, column, was, _accept(bridge))
            key = f"port {number} {column}"
            text = f"port {number}, {now}, has {both[0]}", both[1]
            found_one = _changed(bridge, DriftKind.PORT, key, text, remedy)
            yield replace(found_one, rule=bridge.ports[number].rule)


def _port(
    bridge: WatchedBridge, number: int, good: BridgeInterface, there: BridgeInterface | None
) -> Difference:
    """Return what is wrong with a port. `there`: its interface as it is now; None: it is gone."""
    key, wanted, name = f"port {number}", f"{good} as port {number}", shlex.quote(good.name)
    number_it = f"set Interface {name} ofport_request={number}"
    now = bridge.found.interface_by_port.get(number) if bridge.found else None
    if there and not there.has_number and not now:
        kind = shlex.quote(f"type={good.kind or quoted('')}")
        remedy = f"ovs-vsctl set Interface {name} {kind}; {_accept(bridge)}"
        both = f"{there}{_why(there, good)} could not be opened", wanted
        return _changed(bridge, DriftKind.PORT, key, both, remedy)
    if there and there.has_number and there.number != number:
        both = f"{good} is port {there.number}", wanted
        return _changed(bridge, DriftKind.PORT, key, both, f"ovs-vsctl {number_it}")
    if now:
        both = f"port {number} is {now}{_why(now, good)}", wanted
        return _changed(bridge, DriftKind.PORT, key, both, _accept(bridge))
    remedy = f"ovs-vsctl add-port {shlex.quote(bridge.name)} {name} -- {number_it}"
    return replace(_missing(bridge, DriftKind.PORT, key, wanted, remedy), may_be_meant=True)


def _why(now: BridgeInterface, good: BridgeInterface) -> str:
    return ", with other options" if (now.name, now.kind) == (good.name, good.kind) else ""


def _accept(bridge: WatchedBridge) -> str:
    return f"if this is right: postern drift --accept {bridge.switch}"


def _foreign(bridge: WatchedBridge, kind: DriftKind, key: str, text: str, remedy: str) -> Difference:
    return Difference(bridge.switch, kind, DriftChange.FOREIGN, key, text, "", "", remedy)


def _missing(bridge: WatchedBridge, kind: DriftKind, key: str, wanted: str, remedy: str) -> Difference:
    rule = f"switches.{bridge.switch}"
    return Difference(bridge.switch, kind, DriftChange.MISSING, key, "", wanted, rule, remedy)


def _changed(
    bridge: WatchedBridge, kind: DriftKind, key: str, now_and_wanted: tuple[str, str], remedy: str
) -> Difference:
    rule = f"switches.{bridge.switch}"
    return Difference(bridge.switch, kind, DriftChange.CHANGED, key, *now_and_wanted, rule, remedy)
