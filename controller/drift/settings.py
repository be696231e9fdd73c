"""What OpenFlow shows of a switch besides its tables: ports and their settings, fragments, eviction. Pure.

A port that an operator takes down for maintenance looks like one that another program has taken down: Open
vSwitch reports `ip link set DEVICE down` as the same setting. So that is named, and left to the operator.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from controller.drift.model import Difference, DriftChange, DriftKind
from controller.sync.outcomes import (
    FIRST_RESERVED_PORT,
    LOCAL_PORT,
    Fragments,
    Port,
    PortConfig,
    SwitchSettings,
    TableConfig,
)
from controller.sync.settings import SettingsReset
from controller.topology.ports import PortUse

_MOST_TABLES = 5  # that are named; of more, only the number is
_OFCTL = "ovs-ofctl -O OpenFlow14"
_PUT_BACK = {  # in the words of ovs-ofctl: what is set, and what is put back
    PortConfig.NO_RECEIVE: ("no-receive", "receive"),
    PortConfig.NO_FORWARD: ("no-forward", "forward"),
    PortConfig.NO_PACKET_IN: ("no-packet-in", "packet-in"),
}
_OF_TABLES = {
    TableConfig.EVICTION: ("evict", "noevict"),
    TableConfig.VACANCY_EVENTS: ("vacancy", "novacancy"),
}


@dataclass(frozen=True, slots=True)
class SeenSwitch:
    """`uses`: what the policy connects to each port. `names`: which interface belongs to each port."""

    switch: str
    uses: Mapping[int, PortUse]
    ports: Mapping[int, Port]
    names: Mapping[int, str]
    settings: SwitchSettings

    @property
    def bridge(self) -> str:
        """Return the bridge's name, for commands: its own port bears it."""
        local = self.ports.get(LOCAL_PORT)
        return shlex.quote(local.name if local else self.switch)


def compare(seen: SeenSwitch) -> tuple[Difference, ...]:
    """Return everything that is wrong with the ports and the settings of a switch."""
    return (*_fragments(seen), *_tables(seen), *_ports(seen))


def build_reset(seen: SeenSwitch) -> SettingsReset:
    """Return what can be put back without a doubt."""
    wrong = [seen.ports[number] for number in sorted(seen.uses) if number in seen.ports]
    is_normal = seen.settings.fragments in (None, Fragments.NORMAL)
    return SettingsReset(
        tuple(port for port in wrong if _words(port)),
        tuple(sorted(seen.settings.tables or ())),
        None if is_normal else seen.settings.miss_send_len,
    )


def _fragments(seen: SeenSwitch) -> Iterator[Difference]:
    fragments = seen.settings.fragments
    if fragments in (None, Fragments.NORMAL):
        return
    text = "fragments are {}".format(fragments.name.lower().replace("_", "-"))
    remedy = f"{_OFCTL} set-frags {seen.bridge} normal"
    yield _setting(seen, "fragments", (text, "normal"), remedy)


def _tables(seen: SeenSwitch) -> Iterator[Difference]:
    for flag, (found, wanted) in _OF_TABLES.items():
        tables = sorted(number for number, config in (seen.settings.tables or {}).items() if flag in config)
        if not tables:
            continue
        names = f"{len(tables)} tables" if len(tables) > _MOST_TABLES else f"table {_list(map(str, tables))}"
        which = "all" if len(tables) > 1 else str(tables[0])
        remedy = f"{_OFCTL} mod-table {seen.bridge} {which} {wanted}"
        both = f"{names}: {found}", wanted
        yield _setting(seen, f"tables {found}", both, remedy)


def _ports(seen: SeenSwitch) -> Iterator[Difference]:
    place_by_name = {port.name: number for number, port in seen.ports.items()}
    moved = set()
    for number, use in sorted(seen.uses.items()):
        port, name = seen.ports.get(number), seen.names.get(number, "")
        place = place_by_name.get(name) if name else None
        if port:
            yield from _configuration(seen, port, use)
        if place is not None and place != number:
            moved.add(place)
            yield _moved(seen, use, name, place)
        elif port is None:
            yield _missing(seen, number, name, use)
        elif name and port.name != name:
            both = f"port {number} is interface {port.name}", f"interface {name} as port {number}"
            yield _changed_port(seen, use, "", both, _accept(seen))
    for number, port in sorted(seen.ports.items()):
        is_known = number in seen.uses or number in moved or seen.names.get(number) == port.name
        if not is_known and number < FIRST_RESERVED_PORT:
            yield _foreign(seen, port)


def _configuration(seen: SeenSwitch, port: Port, use: PortUse) -> Iterator[Difference]:
    """The link's own state is not a setting, so a cable that was pulled does not count as drift."""
    called = f"port {port.number} ({port.name})"
    mod = f"{_OFCTL} mod-port {seen.bridge} {port.number}"
    if words := _words(port):
        both = f"{called} is set to {_list(set_ for set_, _ in words)}", _list(back for _, back in words)
        remedy = "; ".join(f"{mod} {back}" for _, back in words)
        yield _changed_port(seen, use, " settings", both, remedy)
    if PortConfig.DOWN in port.config:
        both = f"{called} was taken down by a command", "up"
        remedy = f"unless it is meant to be down: {mod} up; Postern does not take ports up"
        yield replace(_changed_port(seen, use, " down", both, remedy), may_be_meant=True)


def _words(port: Port) -> list[tuple[str, str]]:
    return [words for flag, words in _PUT_BACK.items() if flag in port.config]


def _moved(seen: SeenSwitch, use: PortUse, name: str, place: int) -> Difference:
    number = use.at.port
    both = f"interface {name} is port {place}", f"port {number}"
    number_it = f"ovs-vsctl set Interface {shlex.quote(name)} ofport_request={number}"
    return _changed_port(seen, use, "", both, f"{number_it}; {_accept(seen)}")


def _accept(seen: SeenSwitch) -> str:
    return f"if this is right: postern drift --accept {seen.switch}"


def _missing(seen: SeenSwitch, number: int, name: str, use: PortUse) -> Difference:
    wanted = f"{f'interface {name}' if name else 'an interface'} as port {number}, for {use.name}"
    device = shlex.quote(name) if name else "DEVICE"
    remedy = f"ovs-vsctl add-port {seen.bridge} {device} -- set Interface {device} ofport_request={number}"
    key, rule = f"port {number}", use.rule
    kind, change = DriftKind.PORT, DriftChange.MISSING
    return Difference(seen.switch, kind, change, key, "", wanted, rule, remedy, may_be_meant=True)


def _foreign(seen: SeenSwitch, port: Port) -> Difference:
    text = f"interface {port.name} is port {port.number}, which the policy does not use"
    remedy = f"ovs-vsctl del-port {seen.bridge} {shlex.quote(port.name)}, or add the port to the policy"
    key, kind, change = f"port {port.number}", DriftKind.PORT, DriftChange.FOREIGN
    # No flow sends to it, and none admits what comes in by it; a switch may have spare ports.
    return Difference(seen.switch, kind, change, key, text, "", "", remedy, may_be_meant=True)


def _setting(seen: SeenSwitch, key: str, now_and_wanted: tuple[str, str], remedy: str) -> Difference:
    kind, rule = DriftKind.SETTING, f"switches.{seen.switch}"
    return Difference(seen.switch, kind, DriftChange.CHANGED, key, *now_and_wanted, rule, remedy)


def _changed_port(
    seen: SeenSwitch, use: PortUse, what: str, now_and_wanted: tuple[str, str], remedy: str
) -> Difference:
    kind, key = DriftKind.PORT, f"port {use.at.port}{what}"
    return Difference(seen.switch, kind, DriftChange.CHANGED, key, *now_and_wanted, use.rule, remedy)


def _list(words: Iterator[str]) -> str:
    return ", ".join(words)
