"""The steering path beside plain L2 on the same switch: bulk throughput, and new connections per second.

    sudo make bench-steering        or: python -m benchmarks.steering [--seconds N] [--rounds N]

Brings the demo's lab up. Ours: the backbone's router connects to a tenant's mail
server, and the switch classifies, tracks, balances over both proxies and forwards
by the compiled flows. The peer: the same two ends over a second bridge of the same
ovs-vswitchd, whose two flows forward by destination MAC and do nothing else. Both
are measured in turns; sinks stand in for the gateways, so that only the path differs.
New connections are counted with several clients at once, which shows the capacity of the
switch; one client alone measures round trips, and is printed as well.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.report import Comparison, Report
from benchmarks.unprobed import unprobed
from common import entry
from controller.compiler.compile import compile_policy
from controller.policy.parse import read_policy
from lab.lab import Lab
from lab.paths import REPOSITORY, LabPaths

_LOAD = str(REPOSITORY / "benchmarks" / "tcp_load.py")
_POLICY = REPOSITORY / "policies" / "demo.yaml"
_OUT = REPOSITORY / "build" / "benchmarks" / "steering.json"
_WANTED = 0.9
_BRIDGE = "bench-l2"
_CLIENT, _SINKS = "bbr", ("proxy1", "proxy2")
_SOURCE, _SERVER = "198.51.100.77", "203.0.113.10"
_PLAIN_CLIENT, _PLAIN_SERVER = "192.168.77.1", "192.168.77.2"
_MAIL = 25
_CLIENTS = 4


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.steering", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one measurement (default: 3)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each, in turns (default: 5)")
    parser.add_argument("--out", type=Path, default=_OUT, help=f"JSON file (default: {_OUT})")
    arguments = parser.parse_args()
    report = Report("steering path beside plain L2")
    report.facts["compile_and_encode_s"] = _time_of_compiling()
    lab = Lab(LabPaths(Path("/run/postern/bench-lab")), is_attended=True)
    try:
        lab.up("demo", unprobed(_POLICY), print)
        with ExitStack() as stack:
            _prepare(lab, stack)
            report.comparisons = [
                _compare(lab, "bulk throughput", ("send", "Mbit/s", 1), arguments),
                _compare(lab, "new connections", ("connect", "connections/s", _CLIENTS), arguments),
            ]
            alone = _compare(lab, "connections of one client", ("connect", "connections/s", 1), arguments)
            report.facts["one_client"] = alone.to_json()
    finally:
        lab.down()
    report.write(arguments.out)
    return 0 if report.is_reached else 1


def _time_of_compiling() -> float:
    begun = time.perf_counter()
    compile_policy(read_policy(_POLICY))
    passed = time.perf_counter() - begun
    print(f"the demo's policy was read and compiled in {passed * 1000:.0f} ms")
    return round(passed, 4)


def _compare(lab: Lab, name: str, what: tuple[str, str, int], arguments: argparse.Namespace) -> Comparison:
    kind, unit, clients = what
    ours, peer = [], []
    for _ in range(arguments.rounds):
        ours.append(load(lab, kind, clients, arguments.seconds, (_SOURCE, _SERVER)))
        peer.append(load(lab, kind, clients, arguments.seconds, (_PLAIN_CLIENT, _PLAIN_SERVER)))
        print(f"  {name}: ours {ours[-1]:,.0f}, plain L2 {peer[-1]:,.0f} {unit}")
    return Comparison(name, unit, "plain L2", ours, peer, _WANTED)


def load(lab: Lab, kind: str, clients: int, seconds: float, ends: tuple[str, str]) -> float:
    """Return the sum over clients that run at the same time."""
    source, target = ends
    command = lab.command_in(_CLIENT, [sys.executable, _LOAD, kind, str(seconds), source, str(_MAIL), target])
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace")
        for _ in range(clients)
    ]
    said = [process.communicate(timeout=seconds + 60)[0] for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError("a client of the load failed; see its output above")
    return sum(map(float, said))


def _prepare(lab: Lab, stack: ExitStack) -> None:
    """Put sinks in the gateways' place, an address of the internet on the router, the plain bridge beside."""
    stack.enter_context(_plain_bridge(lab))
    inside(lab, _CLIENT, f"ip address add {_SOURCE}/32 dev lo")
    put_sinks(lab, stack)


def put_sinks(lab: Lab, stack: ExitStack) -> None:
    for host in _SINKS:
        lab.stop(f"{host}.mail")
        stack.enter_context(_sink(lab, host))


@contextmanager
def _sink(lab: Lab, host: str) -> Iterator[None]:
    command = lab.command_in(host, [sys.executable, _LOAD, "sink", str(_MAIL)])
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace") as process:
        assert process.stdout and process.stdout.readline() == "listening\n"
        try:
            yield
        finally:
            process.terminate()


@contextmanager
def _plain_bridge(lab: Lab) -> Iterator[None]:
    """A second bridge of the same switch program, from the client to the first sink, by MAC only."""
    ends = ((_CLIENT, "benchc", _PLAIN_CLIENT, 1), (_SINKS[0], "benchs", _PLAIN_SERVER, 2))
    _vsctl(f"--if-exists del-br {_BRIDGE}")  # a run that was killed may have left it
    _vsctl(f"add-br {_BRIDGE} -- set bridge {_BRIDGE} datapath_type=netdev fail_mode=secure")
    try:
        for host, name, address, number in ends:
            _host(f"ip link add {name} type veth peer name {name}-in")
            subprocess.run(
                ["ip", "link", "set", f"{name}-in", "netns", str(lab.places.pin(host))], check=True
            )
            _host(f"ip link set {name} up")
            _host(f"ethtool -K {name} tx off")
            inside(lab, host, f"ethtool -K {name}-in tx off")
            inside(lab, host, f"ip link set {name}-in address 02:77:00:00:00:0{number} up")
            inside(lab, host, f"ip address add {address}/24 dev {name}-in")
            _vsctl(f"add-port {_BRIDGE} {name} -- set interface {name} ofport_request={number}")
        for host, name, _, number in ends:
            other, mac = 3 - number, f"02:77:00:00:00:0{3 - number}"
            _host(f"ovs-ofctl add-flow {_BRIDGE} dl_dst={mac},actions=output:{other}")
            peer = _PLAIN_SERVER if number == 1 else _PLAIN_CLIENT
            inside(lab, host, f"ip neighbour add {peer} lladdr {mac} dev {name}-in")
        yield
    finally:
        _vsctl(f"--if-exists del-br {_BRIDGE}")


def _vsctl(words: str) -> None:
    _host(f"ovs-vsctl --timeout=10 {words}")


def _host(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True)


def inside(lab: Lab, host: str, command: str) -> None:
    done = subprocess.run(
        lab.command_in(host, command.split()), capture_output=True, encoding="utf-8", errors="replace"
    )
    if done.returncode:
        raise RuntimeError(f"{host}: {command}: {done.stderr.strip()}")


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("benchmarks.steering", main)


if __name__ == "__main__":
    sys.exit(run())
