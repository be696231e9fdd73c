"""Pools and trunks: spread over members, time to avoid a dead member, a stopped controller, a dead trunk.

    sudo make bench-pools        or: python -m benchmarks.pools [--connections N] [--rounds N]

Brings the ring up: four switches, three proxies on three of them. New connections are
single segments that bbr1 puts on the wire, from many addresses and ports; a capture at
each proxy's link shows where each of them goes. The peers: the weights of the policy;
the same edge with its controller running; and, for a dead trunk, fifty milliseconds.
"""

import argparse
import ipaddress
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.report import Comparison, Limit, Report
from common import entry
from controller.policy.parse import read_policy
from lab.datagrams import Stream, send_stream
from lab.frames import Eye, Segment, send
from lab.lab import Lab
from lab.paths import REPOSITORY, LabPaths

_POLICY = REPOSITORY / "policies" / "ring.yaml"
_OUT = REPOSITORY / "build" / "benchmarks" / "pools.json"
_LOAD = str(REPOSITORY / "benchmarks" / "tcp_load.py")
_WEIGHTS = {"proxy1": 1, "proxy2": 2, "proxy3": 3}
_PORT_BY_PROXY = {"proxy1": "s1-eth3", "proxy2": "s2-eth1", "proxy3": "s4-eth1"}
_CLIENT, _CLIENT_MAC, _EDGE_MAC = "bbr1", "02:bb:00:00:00:01", "02:50:00:00:00:01"
_FAMILIES = {4: ("198.51.100.0", "203.0.113.10"), 6: ("2001:db8:bb::1000", "2001:db8:a::10")}
_FIRST_PORT, _FIRST_FRESH_PORT, _MAIL = 10_000, 25_000, 25
_STEP_S, _WATCHED_S = 0.002, 3.0
_STREAM, _DATAGRAMS = Stream("sender", "globex-mx", "203.0.113.74", 53), 3_000
_SPREAD_WANTED, _AVOID_WANTED_MS, _TRUNK_WANTED_MS = 10.0, 1_000.0, 50.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.pools", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--connections", type=int, default=10_000, help="connections for the spread (default: 10,000)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each other measurement (default: 5)")
    parser.add_argument("--out", type=Path, default=_OUT, help=f"JSON file (default: {_OUT})")
    arguments = parser.parse_args()
    report = Report("pools and trunks on four switches")
    lab = Lab(LabPaths(Path("/run/postern/bench-lab")), is_attended=True)
    policy = arguments.out.with_name("pools-policy.yaml")
    policy.parent.mkdir(parents=True, exist_ok=True)
    policy.write_text(_weighted(_POLICY.read_text(encoding="utf-8")), encoding="utf-8")
    read_policy(policy)
    try:
        lab.up("ring", policy, print)
        report.limits = [*_spreads(lab, arguments.connections), *_avoidances(lab, arguments.rounds)]
        report.limits += _trunks(lab, arguments.rounds)
        report.comparisons = [_without_controller(lab, arguments.rounds)]
    finally:
        lab.down()
    report.write(arguments.out)
    return 0 if report.is_reached else 1


def _weighted(text: str) -> str:
    for name, weight in _WEIGHTS.items():
        text = text.replace(f"{name}: {{at", f"{name}: {{weight: {weight}, at")
    return text


def _segments(version: int, count: int) -> Iterator[Segment]:
    """Yield new connections, each from a port of its own and from one of two hundred addresses."""
    first, server = _FAMILIES[version]
    base = ipaddress.ip_address(first)
    for number in range(count):
        source = str(base + 1 + number % 200)
        yield Segment(_CLIENT_MAC, _EDGE_MAC, source, server, _FIRST_PORT + number, _MAIL)


@contextmanager
def _eyes(lab: Lab) -> Iterator[dict[str, Eye]]:
    with ExitStack() as stack:
        yield {
            host: stack.enter_context(Eye(lab.places.pin(host), f"{host}-eth0")) for host in _PORT_BY_PROXY
        }


def _spreads(lab: Lab, connections: int) -> Iterator[Limit]:
    for version in _FAMILIES:
        seen: Counter[str] = Counter()
        batch = list(_segments(version, connections))
        with _eyes(lab) as eyes:
            for start in range(0, connections, 100):
                frames = [segment.to_frame() for segment in batch[start : start + 100]]
                send(lab.places.pin(_CLIENT), f"{_CLIENT}-eth0", frames)
                for eye in eyes.values():
                    eye.seen(0.0)
            for host, eye in eyes.items():
                seen[host] = len([ports for ports in eye.seen(0.5) if ports[1] == _MAIL])
        total = sum(seen.values())
        shares = {host: weight / sum(_WEIGHTS.values()) for host, weight in _WEIGHTS.items()}
        deviations = [abs(seen[host] / total / share - 1) * 100 for host, share in shares.items()]
        print(f"  IPv{version}: {total:,} of {connections:,} connections: {dict(seen)}, weights {_WEIGHTS}")
        yield Limit(f"deviation from the weights, IPv{version}", "%", deviations, _SPREAD_WANTED)
        if total < connections * 0.95:  # a switch drops the first packets of a burst, senders try again
            raise RuntimeError("connections were lost on the way to the proxies")


def _avoidances(lab: Lab, rounds: int) -> Iterator[Limit]:
    """Measure how long new connections still go to a member after its port or its program has died."""
    for host in ("proxy1", "proxy3"):
        where = "this switch" if host == "proxy1" else "another switch"
        port = _PORT_BY_PROXY[host]
        lost = [
            _last_lost_ms(lab, partial(_link, port, "down"), partial(_link, port, "up"))
            for _ in range(rounds)
        ]
        yield Limit(f"new connections lost after port-down, member on {where}", "ms", lost, 100.0)
    taken = [_last_taken_ms(lab, "proxy2") for _ in range(rounds)]
    yield Limit("new connections to a gateway that was killed (-9)", "ms", taken, _AVOID_WANTED_MS)


def _last_lost_ms(lab: Lab, die: Callable[[], None], heal: Callable[[], None]) -> float:
    sent_at, died_at, seen = _watch(lab, die)
    heal()
    time.sleep(2)
    arrived = {ports[0] for each in seen.values() for ports in each}
    lost = [when for port, when in sent_at.items() if port not in arrived and when > died_at]
    return max((when - died_at for when in lost), default=0.0) * 1000


def _last_taken_ms(lab: Lab, host: str) -> float:
    sent_at, died_at, seen = _watch(lab, lambda: lab.stop(f"{host}.mail", 0))
    lab.start(f"{host}.mail")
    time.sleep(3)
    taken = [sent_at[ports[0]] for ports in seen[host] if ports[0] in sent_at]
    return max(0.0, max(taken, default=died_at) - died_at) * 1000


_next_port = _FIRST_FRESH_PORT


def _watch(
    lab: Lab, happening: Callable[[], None]
) -> tuple[dict[int, float], float, dict[str, frozenset[tuple[int, int]]]]:
    """Open connections all the time, and call `happening`; return what was sent, when, and seen."""
    global _next_port
    sent_at: dict[int, float] = {}
    first, server = _FAMILIES[4]
    died_at = [0.0]

    def act() -> None:
        time.sleep(_WATCHED_S / 6)
        died_at[0] = time.monotonic()
        happening()

    with _eyes(lab) as eyes:
        actor = threading.Thread(target=act)
        actor.start()
        until = time.monotonic() + _WATCHED_S
        while (now := time.monotonic()) < until:
            _next_port += 1  # never one that a switch may still know
            source = str(ipaddress.ip_address(first) + 1 + _next_port % 200)
            segment = Segment(_CLIENT_MAC, _EDGE_MAC, source, server, _next_port, _MAIL)
            send(lab.places.pin(_CLIENT), f"{_CLIENT}-eth0", [segment.to_frame()])
            sent_at[_next_port] = now
            time.sleep(_STEP_S)
        actor.join()
        seen = {host: frozenset(p for p in eye.seen(0.3) if p[1] == _MAIL) for host, eye in eyes.items()}
    return sent_at, died_at[0], seen


def _link(port: str, state: str) -> None:
    subprocess.run(["ip", "link", "set", port, state], check=True)


def _trunks(lab: Lab, rounds: int) -> Iterator[Limit]:
    for is_controlled in (True, False):
        if not is_controlled:
            lab.stop("controller")
        gaps = []
        for _ in range(rounds):
            gaps.append(
                float(send_stream(lab, _STREAM, _DATAGRAMS, lambda: _link("s4-eth11", "down")).longest_gap)
            )
            _link("s4-eth11", "up")
            time.sleep(2)
        if not is_controlled:
            lab.start("controller")
        name = f"packets lost when a trunk dies, controller {'running' if is_controlled else 'stopped'}"
        yield Limit(name, "ms", gaps, _TRUNK_WANTED_MS)


def _without_controller(lab: Lab, rounds: int) -> Comparison:
    """New connections per second with the controller stopped, compared with it running."""
    ours, peer = [], []
    for host in _PORT_BY_PROXY:
        lab.stop(f"{host}.agent")
        lab.stop(f"{host}.mail")
    subprocess.run(
        lab.command_in(_CLIENT, ["ip", "address", "add", "198.51.100.77/32", "dev", "lo"]), check=True
    )
    with ExitStack() as stack:
        for host in _PORT_BY_PROXY:
            command = lab.command_in(host, [sys.executable, _LOAD, "sink", str(_MAIL)])
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace")
            )
            stack.callback(process.terminate)
            assert process.stdout and process.stdout.readline() == "listening\n"
        for _ in range(rounds):
            lab.stop("controller")
            ours.append(_rate(lab))
            lab.start("controller")
            peer.append(_rate(lab))
    return Comparison("new connections, controller stopped", "connections/s", "running", ours, peer, 0.95)


def _rate(lab: Lab) -> float:
    arguments = ["connect", "3", "198.51.100.77", str(_MAIL), "203.0.113.10"]
    command = lab.command_in(_CLIENT, [sys.executable, _LOAD, *arguments])
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace")
        for _ in range(4)
    ]
    return sum(float(process.communicate(timeout=60)[0]) for process in running)


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("benchmarks.pools", main)


if __name__ == "__main__":
    sys.exit(run())
