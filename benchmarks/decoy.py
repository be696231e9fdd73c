"""Decisions: from API call to first packet at the decoy, import, and the cost of 100,000 in the switch.

    sudo make bench-decoy        or: python -m benchmarks.decoy [--decisions N] [--runs N]

Brings the demo's lab up. For each run an unknown source sends to a published port
every half millisecond. An API call makes a decision about it, and a capture at the decoy's
link sees its first packet there. The peers: the only published figure for the same path,
0.89 s (one run of a demo of 2026); and the same switch without any decision.
"""

import argparse
import ipaddress
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.report import Comparison, Limit, Report
from benchmarks.steering import inside, load, put_sinks
from benchmarks.unprobed import unprobed
from common import entry
from controller.api.client import ApiClient
from lab import namespaces
from lab.frames import Segment, watching
from lab.lab import Lab
from lab.paths import REPOSITORY, LabPaths

_POLICY = REPOSITORY / "policies" / "demo.yaml"
_OUT = REPOSITORY / "build" / "benchmarks" / "decoy.json"
_ROUTER, _ROUTER_LINK = "bbr", "bbr-eth0"
_ROUTER_MAC, _EDGE_MAC = "02:bb:00:00:00:01", "02:50:00:00:00:01"
_DECOY, _DECOY_LINK = "decoy1", "decoy1-eth0"
_WEB = ("203.0.113.10", 80)
_MAIL = "203.0.113.10"
_CLIENTS, _SOURCES = 4, 200
_CHUNK, _PACE_S, _PATIENCE_S = 10_000, 0.0005, 5.0
_PUBLIC_FIGURE_MS = 890.0
_LATENCY_MS, _IMPORTED_PER_S, _RATE = 20.0, 10_000.0, 0.85


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.decoy", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--decisions", type=int, default=100_000, help="decisions installed meanwhile (default: 100,000)"
    )
    parser.add_argument("--runs", type=int, default=1_000, help="runs for the latency (default: 1,000)")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="seconds for each measurement of a rate (default: 3)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each rate (default: 5)")
    parser.add_argument("--out", type=Path, default=_OUT, help=f"JSON file (default: {_OUT})")
    arguments = parser.parse_args()
    report = Report("decisions and decoys")
    lab = Lab(LabPaths(Path("/run/postern/bench-lab")), is_attended=True)
    try:
        lab.up("demo", unprobed(_POLICY), print)
        api = ApiClient(f"unix:{lab.places.api}")
        with ExitStack() as stack:
            put_sinks(lab, stack)
            for source in _sources():
                inside(lab, _ROUTER, f"ip address add {source}/32 dev lo")
            before = _rates(lab, arguments)
            imported = _import(api, arguments.decisions)
            report.facts["imported_per_s"] = round(imported)
            report.limits = [_latency(lab, api, arguments.runs)]
            during = _rates(lab, arguments)
        report.comparisons = [
            Comparison(f"{name} with {arguments.decisions:,} decisions", unit, "none", ours, peer, _RATE)
            for (name, unit), ours, peer in zip(_KINDS, during, before, strict=True)
        ]
        report.comparisons.append(
            Comparison("imported", "decisions/s", "wanted", [imported], [_IMPORTED_PER_S], 1.0)
        )
    finally:
        lab.down()
    report.write(arguments.out)
    return 0 if report.is_reached else 1


_KINDS = (("bulk throughput", "Mbit/s"), ("new connections of 200 sources", "connections/s"))


def _sources() -> list[str]:
    return [
        f"198.51.100.{1 + number % 250}" for number in range(3, 3 + _SOURCES) if number % 250 not in (9, 65)
    ]


def _rates(lab: Lab, arguments: argparse.Namespace) -> list[list[float]]:
    found: list[list[float]] = [[], []]
    sources = ",".join(_sources())
    for _ in range(arguments.rounds):
        found[0].append(load(lab, "send", 1, arguments.seconds, (_sources()[0], _MAIL)))
        found[1].append(load(lab, "connect", _CLIENTS, arguments.seconds, (sources, _MAIL)))
        print(f"  bulk {found[0][-1]:,.0f} Mbit/s, new connections {found[1][-1]:,.0f} per second")
    return found


def _import(api: ApiClient, count: int) -> float:
    """Return decisions per second, from the first call until the switch has confirmed the last one."""
    first = ipaddress.ip_address("11.0.0.0")
    begun = time.monotonic()
    last = 0
    for done in range(0, count, _CHUNK):
        chunk = [
            {"value": str(first + number), "action": "drop", "origin": "benchmark"}
            for number in range(done, min(done + _CHUNK, count))
        ]
        last = api.post("/v1/decisions", {"decisions": chunk})["accepted"][0]["id"] + len(chunk) - 1
    while not _is_confirmed(api, last):
        time.sleep(0.01)
    passed = time.monotonic() - begun
    print(f"  {count:,} decisions imported and confirmed in {passed:.1f} s")
    return count / passed


def _is_confirmed(api: ApiClient, number: int) -> bool:
    receipt = api.get(f"/v1/decisions/{number}")["receipt"]
    return all(row["confirmed"] for row in receipt["switches"])


def _latency(lab: Lab, api: ApiClient, runs: int) -> Limit:
    figures = sorted(_run(lab, api, source) for source in _strangers(runs))
    p50, p99 = statistics.median(figures), figures[max(0, int(len(figures) * 0.99) - 1)]
    print(f"  from API call to first packet at the decoy: median {p50:.1f} ms, worst {figures[-1]:.1f} ms")
    print(
        f"  the published figure is {_PUBLIC_FIGURE_MS:.0f} ms: {_PUBLIC_FIGURE_MS / p50:.0f} times as long"
    )
    return Limit(f"API call to first packet at the decoy, p99 of {runs:,}", "ms", [p99], _LATENCY_MS)


def _strangers(count: int) -> Iterator[str]:
    first = ipaddress.ip_address("9.0.0.0")
    return (str(first + 1 + number) for number in range(count))


def _run(lab: Lab, api: ApiClient, source: str) -> float:
    """Return the milliseconds until a source that sends all the time is first seen at the decoy."""
    stop = threading.Event()
    knocking = threading.Thread(target=_knock, args=(lab, source, stop))
    with watching(lab.places.pin(_DECOY), _DECOY_LINK, source, _PATIENCE_S) as seen:
        knocking.start()
        try:
            time.sleep(0.005)
            begun = time.monotonic()
            api.post("/v1/decisions", {"decisions": [{"value": source, "action": "decoy"}]})
            return (seen() - begun) * 1000
        finally:
            stop.set()
            knocking.join()


def _knock(lab: Lab, source: str, stop: threading.Event) -> None:
    with namespaces.socket_inside(lab.places.pin(_ROUTER), socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((_ROUTER_LINK, 0))
        port = 10_000
        while not stop.wait(_PACE_S):
            wire.send(Segment(_ROUTER_MAC, _EDGE_MAC, source, _WEB[0], port, _WEB[1]).to_frame())
            port += 1


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("benchmarks.decoy", main)


if __name__ == "__main__":
    sys.exit(run())
