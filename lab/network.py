"""The network of a lab without its services: switches, hosts, links.

Benchmarks use this alone, with a controller of their own or none. The
program that owns the Mininet network writes its description, which is read here.
"""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import ipv6, names, namespaces, processes, switches
from lab.errors import LabError
from lab.paths import REPOSITORY, LabPaths
from lab.processes import OWNER_VARIABLE, Process

SYSTEM_PYTHON = "/usr/bin/python3"  # Debian's, where Mininet lives
_BUILD_TIMEOUT_S = 40
_POLL_S = 0.03
_TAIL_LINES = 15
_NO_TOPOLOGIES = ("__init__", "parts", "plan")  # building blocks of topologies


@dataclass(frozen=True, slots=True)
class Port:
    """One interface of a host, and its peer."""

    name: str
    mac: str
    peer: str
    peer_port: str


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    pid: int
    role: str  # router, gateway, outside, client or mail-server
    domain: str
    addresses: tuple[str, ...]
    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class Switch:
    name: str
    dpid: int
    ports: dict[int, str]  # interface by OpenFlow port number


@dataclass(frozen=True, slots=True)
class Network:
    switches: tuple[Switch, ...]
    hosts: tuple[Host, ...]

    def host(self, name: str) -> Host:
        for host in self.hosts:
            if host.name == name:
                return host
        names = " ".join(sorted(host.name for host in self.hosts))
        raise LabError(f"the lab has no host {name!r}; hosts: {names}")

    def hosts_with(self, role: str) -> list[Host]:
        return [host for host in self.hosts if host.role == role]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which network to bring up. `controller` is `HOST:PORT`, or empty for none."""

    topology: str
    owner: str
    controller: str = ""


def topology_file(name: str) -> Path:
    """Return the file of a topology. Raise `LabError` that lists the known ones."""
    directory = REPOSITORY / "mininet_topos"
    file = directory / f"{name}.py"
    known = sorted(path.stem for path in directory.glob("*.py") if path.stem not in _NO_TOPOLOGIES)
    if name not in known:
        raise LabError(f"there is no topology {name!r}; topologies: {' '.join(known)}")
    return file


def check_room(switch_names: tuple[str, ...] = ("s1",)) -> None:
    """Refuse to start if a needed bridge or interface exists and is not ours. Raise `LabError`."""
    for bridge in switches.bridges():
        if bridge.owner and bridge.directory and (Path(bridge.directory) / "lab.json").exists():
            raise LabError(
                f"bridge {bridge.name} belongs to the lab in {bridge.directory}; "
                f"remedy: POSTERN_LAB_DIR={bridge.directory} postern lab down"
            )
        if bridge.name in switch_names and not bridge.owner:
            raise LabError(
                f"another program uses Open vSwitch: bridge {bridge.name} exists and is not "
                f"the lab's; remedy: if it is not needed, ovs-vsctl del-br {bridge.name}"
            )
    _check_interfaces(switch_names)


def _check_interfaces(switch_names: tuple[str, ...]) -> None:
    """Mininet deletes interfaces that have the names it needs: check before it does."""
    for path in Path("/sys/class/net").iterdir():
        name = path.name
        switch, dash, number = name.partition("-eth")
        if dash and number.isdigit() and switch in switch_names:
            raise LabError(
                f"interface {name} exists and is not the lab's; "
                f"remedy: if it is not needed, ip link del {name}"
            )


def remove_stale_bridges() -> None:
    """Remove bridges that carry our mark, but whose lab is gone (a reboot, a lost directory)."""
    for bridge in switches.bridges():
        if bridge.owner and not (bridge.directory and (Path(bridge.directory) / "lab.json").exists()):
            switches.remove(bridge.owner)


def start_owner(places: LabPaths, wanted: Wanted) -> Process:
    """Start the program that builds and owns the network."""
    command = [
        SYSTEM_PYTHON,
        "-EsB",  # neither our Python's packages nor the caller's
        str(REPOSITORY / "lab" / "network_owner.py"),
        str(topology_file(wanted.topology)),
        wanted.topology,
        str(places.network),
        wanted.controller or "-",
    ]
    return processes.start(command, places.log("network"), {OWNER_VARIABLE: wanted.owner}, REPOSITORY)


def await_network(places: LabPaths, owner: Process) -> Network:
    """Return the network once it is built and its namespaces are pinned. Raise `LabError`."""
    deadline = time.monotonic() + _BUILD_TIMEOUT_S
    while not places.network.exists():
        processes.reap()
        if not owner.is_alive or time.monotonic() > deadline:
            raise LabError(f"the network could not be built:\n{tail(places.log('network'))}")
        time.sleep(_POLL_S)
    network = read(places)
    for host in network.hosts:
        namespaces.pin(host.pid, places.pin(host.name))
    names.write(places.names, {host.name: host.addresses for host in network.hosts})
    switches.label((switch.name for switch in network.switches), places.root)
    return network


def read(places: LabPaths) -> Network:
    """Read the description of the network. Raise `LabError` if none was built."""
    try:
        facts = json.loads(places.network.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError("there is no network; remedy: postern lab up demo") from error
    return Network(
        tuple(
            Switch(each["name"], each["dpid"], {int(number): name for number, name in each["ports"].items()})
            for each in facts["switches"]
        ),
        tuple(_read_host(each) for each in facts["hosts"]),
    )


def _read_host(facts: dict[str, Any]) -> Host:
    ports = tuple(Port(**port) for port in facts["ports"])
    addresses = ipv6.usable(facts["addresses"])
    return Host(facts["name"], facts["pid"], facts["role"], facts["domain"], addresses, ports)


def take_down(places: LabPaths, owner_mark: str, owner: Process | None) -> None:
    """Remove hosts, links and bridges of a network, even if its owner has died."""
    pins = sorted((places.root / "net").glob("*")) if (places.root / "net").exists() else []
    left = namespaces.processes_inside(pins) | processes.carrying(owner_mark)
    # The owner needs the shells of its hosts to tidy up, so these two come after the rest.
    last = {owner.pid, *(pid for pid in left if processes.parent(pid) == owner.pid)} if owner else set()
    processes.end(processes.identify(pid) for pid in left - last)
    processes.end([owner] if owner else [])
    left = namespaces.processes_inside(pins) | processes.carrying(owner_mark)
    processes.end(processes.identify(pid) for pid in left)
    switches.remove(owner_mark)
    for pin in pins:
        namespaces.unpin(pin)
    _await_interfaces_gone(places)


def _await_interfaces_gone(places: LabPaths) -> None:
    """The kernel removes a namespace's interfaces a moment after its last user has gone."""
    try:
        names = [port for switch in read(places).switches for port in switch.ports.values()]
    except LabError:
        return
    deadline = time.monotonic() + 5
    while left := [name for name in names if Path("/sys/class/net", name).exists()]:
        if time.monotonic() > deadline:
            for name in left:
                subprocess.run(["ip", "link", "del", name], capture_output=True)
            return
        time.sleep(_POLL_S)


def tail(log: Path) -> str:
    """Return the last lines of a log, indented, for a person to read."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return f"    ({log} is empty)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-_TAIL_LINES:]) or f"    ({log} is empty)"
