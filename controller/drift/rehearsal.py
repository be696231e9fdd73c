"""What a repair of settings puts back, found by comparing a switch with what it would be afterwards. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from controller.drift import bridges, settings
from controller.drift.bridge_record import (
    BridgeController,
    BridgeExport,
    BridgeInterface,
    BridgeRecord,
    ColumnValues,
    WatchedBridge,
)
from controller.drift.bridge_repair import (
    build_repair,
    changed_ports,
    foreign_controllers,
    foreign_exports,
    has_other_datapath,
    missing_controllers,
)
from controller.drift.model import Difference
from controller.drift.port_settings import QOS
from controller.drift.settings import SeenSwitch, build_reset
from controller.sync.outcomes import Fragments, PortConfig, SwitchSettings


@dataclass(frozen=True, slots=True)
class SettingsRehearsal:
    """Differences by what a repair does about them: it puts them back, or they stay."""

    put_back: tuple[Difference, ...] = ()
    staying: tuple[Difference, ...] = ()


def rehearse_bridge(bridge: WatchedBridge) -> SettingsRehearsal:
    """Return what `build_repair` does about the differences of a bridge."""
    return _sorted(bridges.compare(bridge), bridges.compare(after_repair(bridge)))


def rehearse_settings(seen: SeenSwitch) -> SettingsRehearsal:
    """Return what `build_reset` does about the differences that OpenFlow shows."""
    return _sorted(settings.compare(seen), settings.compare(after_reset(seen)))


def _sorted(before: Iterable[Difference], after: Iterable[Difference]) -> SettingsRehearsal:
    found, keys = tuple(before), {each.key for each in after}
    return SettingsRehearsal(
        tuple(each for each in found if each.key not in keys),
        tuple(each for each in found if each.key in keys),
    )


def after_reset(seen: SeenSwitch) -> SeenSwitch:
    """Return a switch as it is once `build_reset` was carried out."""
    reset = build_reset(seen)
    ports = {each.number: replace(each, config=each.config & PortConfig.DOWN) for each in reset.ports}
    fragments = seen.settings.fragments if reset.miss_send_len is None else Fragments.NORMAL
    after = SwitchSettings(
        fragments, seen.settings.miss_send_len, {} if reset.tables else seen.settings.tables
    )
    return replace(seen, ports={**seen.ports, **ports}, settings=after)


def after_repair(bridge: WatchedBridge) -> WatchedBridge:
    """Return a bridge as it is once `build_repair` was carried out."""
    found = bridge.found
    if found is None or not build_repair(bridge):
        return bridge
    datapath = bridge.good.datapath_type if has_other_datapath(bridge, found) else found.datapath_type
    put_right = replace(
        found,
        dpid=bridge.dpid,
        wrong=(),
        datapath_type=datapath,
        controllers=tuple(_controllers(bridge, found)),
        mirrors=(),
        exports=tuple(_exports(bridge, found)),
        limited_tables=(),
        interfaces=tuple(_interfaces(bridge, found)),
    )
    return replace(bridge, found=put_right)


def _controllers(bridge: WatchedBridge, found: BridgeRecord) -> Iterator[BridgeController]:
    foreign = foreign_controllers(bridge, found)
    for each in found.controllers:
        if each not in foreign or f"controller {each}" in bridge.good.unaccepted:
            yield replace(each, wrong=())
    yield from missing_controllers(bridge, found)


def _exports(bridge: WatchedBridge, found: BridgeRecord) -> Iterator[BridgeExport]:
    foreign = tuple(foreign_exports(bridge, found))
    for each in found.exports:
        good = bridge.good.export_by_kind.get(each.kind)
        if each not in foreign:
            yield each
        elif good:
            yield good


def _interfaces(bridge: WatchedBridge, found: BridgeRecord) -> Iterator[BridgeInterface]:
    good_by_name = {now.name: good for _, now, good in changed_ports(bridge, found)}
    for each in found.interfaces:
        good = good_by_name.get(each.name)
        yield replace(each, kind=good.kind, settings=_settings(each, good)) if good else each


def _settings(now: BridgeInterface, good: BridgeInterface) -> ColumnValues:
    """The queues that a port had before cannot be put back: only a digest of them is known."""
    if QOS not in dict(good.settings):
        return good.settings
    queues = tuple(each for each in now.settings if each[0] == QOS)
    return (*(each for each in good.settings if each[0] != QOS), *queues)
