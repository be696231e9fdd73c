"""How long an edit, a restart and a decision take among many tenants: the real controller, a private switch.

One member is drained meanwhile, as on any day. With `--before DIR`, a checkout of an earlier commit is
measured in turns with this one, and the ratios of the two are reported. Needs no root: Open vSwitch runs on
its dummy datapath, in a directory of its own.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.many_tenants import FIRST_PORT, policy_of
from benchmarks.report import Comparison, Limit, Report
from common import entry
from controller.api.client import ApiClient, ApiError
from tests.mail.conftest import free_port
from tests.ovs.dummy import DummyOvs

HERE = Path(__file__).parents[1]
_PORTS_AT_ONCE = 200
_CHUNK = 5_000
_PATIENCE_S = 180.0
_PAUSE_S = 0.02
# Ratios of speeds to those of the earlier commit, and limits for 1,000 tenants on two cores.
_WANTED = {"edit": 1.5, "restart": 1.2, "decision during an edit": 1.2}
_WANTED_OF_PROCESSOR = {"edit": 1.5, "restart": 1.2}
_LIMIT_S = {"edit": 2.0, "restart": 20.0, "decision during an edit": 3.0}


class Rig:
    """A switch and a controller of one checkout."""

    def __init__(self, directory: Path, checkout: Path, tenants: int) -> None:
        self._checkout, self._tenants = checkout, tenants
        self.ovs, self._here = DummyOvs(directory), directory
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._ports = itertools.count(8_080)  # each edit is a new one, so that it needs a proof of its own
        self.api = ApiClient(f"unix:{directory}/api.sock")

    def begin(self, decisions: int) -> None:
        self.ovs.start()
        self.ovs.add_bridge("s1", 1, ports=11)
        for first in range(0, self._tenants, _PORTS_AT_ONCE):
            self._add_ports(range(first, min(first + _PORTS_AT_ONCE, self._tenants)))
        (self._here / "policy.yaml").write_text(policy_of(self._tenants), encoding="utf-8")
        self.ovs.vsctl("set-controller", "s1", f"tcp:127.0.0.1:{self._port}")
        self.ovs.vsctl("set", "controller", "s1", "max_backoff=1000")
        self.start()
        self.await_confirmed()
        self.api.post("/v1/members/proxy1", {"drained": True})
        for first in range(0, decisions, _CHUNK):
            self.decide(range(first, min(first + _CHUNK, decisions)))
        self.await_confirmed()

    def end(self) -> None:
        self.kill()
        self.ovs.stop()

    def start(self) -> None:
        settings = {
            "POSTERN_POLICY": f"{self._here}/policy.yaml",
            "POSTERN_STATE_DIR": f"{self._here}/state",
            "POSTERN_API": self.api.address,
            "POSTERN_LISTEN": "off",
            "POSTERN_SWITCH_CONTROL": f"{self._here}/vswitchd.ctl",
            "PYTHONPATH": str(self._checkout),
        }
        command = [str(Path(sys.executable).with_name("ryu-manager")), "--ofp-listen-host", "127.0.0.1"]
        command += ["--ofp-tcp-listen-port", str(self._port), str(self._checkout / "apps" / "edge.py")]
        with (self._here / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env={**os.environ, **settings}, stdout=log, stderr=log, cwd=self._checkout
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def await_confirmed(self, revision: int = 0) -> dict[str, Any]:
        """Return the switch's row of `status` once it holds a revision; 0: the one in force."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            try:
                status = self.api.get("/v1/status")
            except ApiError:
                status = {"state": "away"}
            if status["state"] == "confirmed" and status["revision"] >= revision:
                row: dict[str, Any] = status["switches"][0]
                if row["phase"] == "in step":
                    return row
            time.sleep(_PAUSE_S)
        raise TimeoutError(f"not confirmed after {_PATIENCE_S:.0f} s; the log is {self._here}/log")

    def edit(self) -> float:
        """Change a service of one tenant; return the seconds until the switch has confirmed it."""
        text = policy_of(self._tenants, changed_port=next(self._ports))
        begun = time.monotonic()
        edited = {"file": "policy.yaml", "text": text}
        while (revision := self.api.post("/v1/policy", edited).get("revision")) is None:
            time.sleep(_PAUSE_S)  # it waits for its proof
        self.await_confirmed(revision)
        return time.monotonic() - begun

    def restart(self) -> tuple[float, int]:
        """Kill the controller and start it; return the seconds until all is confirmed, and the flows sent.

        All scanners are down at the time, as their agents said, so half of the tenants' mail is deferred.
        """
        self.report_scanners(are_good=False)
        self.kill()
        begun = time.monotonic()
        self.start()
        row = self.await_confirmed()
        seconds = time.monotonic() - begun
        self.report_scanners(are_good=True)
        return seconds, int(row["flows_sent"])

    def report_scanners(self, *, are_good: bool) -> None:
        for _ in range(2):
            for name in ("scanner1", "scanner2"):
                report = {"format": 1, "good": are_good, "detail": "" if are_good else "refused"}
                self.api.post(f"/v1/members/{name}/health", report)
        self.await_confirmed()

    def decide(self, numbers: range) -> None:
        chunk = [
            {"value": f"11.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}", "action": "drop", "duration_s": 86_400}
            for n in numbers
        ]
        self.api.post("/v1/decisions", {"decisions": chunk})

    def decide_during_an_edit(self, first: int) -> float:
        """Make decisions one by one while a policy is edited; return the seconds of the slowest."""
        slowest, edit = 0.0, threading.Thread(target=self.edit)
        edit.start()
        while edit.is_alive():
            begun = time.monotonic()
            self.decide(range(first, first + 1))
            slowest, first = max(slowest, time.monotonic() - begun), first + 1
            time.sleep(_PAUSE_S)
        edit.join()
        return slowest

    def processor_s(self) -> float:
        """Return the processor time that the controller has used: on a busy machine the better measure."""
        assert self._process is not None
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1_024

    def _add_ports(self, numbers: range) -> None:
        words: list[str] = []
        for number in numbers:
            port, name = FIRST_PORT + number, f"s1t{number}"
            words += ["--", "add-port", "s1", name, "--", "set", "interface", name, "type=dummy"]
            words += [f"ofport_request={port}"]
        self.ovs.vsctl(*words[1:])


class Figures:
    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {name: [] for name in _WANTED}
        self.processor_s: dict[str, list[float]] = {name: [] for name in _WANTED_OF_PROCESSOR}
        self.flows_sent: list[int] = []
        self.resident_mb: list[float] = []

    def measure(self, rig: Rig, decisions: int, round_: int) -> None:
        used = rig.processor_s()
        self.seconds["edit"].append(rig.edit())
        self.processor_s["edit"].append(rig.processor_s() - used)
        self.seconds["decision during an edit"].append(rig.decide_during_an_edit(decisions + round_ * 10_000))
        seconds, sent = rig.restart()
        self.seconds["restart"].append(seconds)
        self.processor_s["restart"].append(rig.processor_s())
        self.flows_sent.append(sent)
        self.resident_mb.append(round(rig.resident_mb(), 1))

    @property
    def facts(self) -> dict[str, Any]:
        medians = {name: round(statistics.median(each), 3) for name, each in self.seconds.items()}
        return {
            "median_s": medians,
            "processor_s": self.processor_s,
            "flows_sent_by_restart": self.flows_sent,
            "resident_mb": self.resident_mb,
        }


def main() -> int:
    arguments = _parser().parse_args()
    report = Report(f"The control plane with {arguments.tenants:,} tenants")
    checkouts = {"ours": HERE} | ({"before": arguments.before.resolve()} if arguments.before else {})
    figures = {name: Figures() for name in checkouts}
    with _rigs(checkouts, arguments) as rigs:
        for number in range(arguments.rounds):
            for name, rig in rigs.items():
                figures[name].measure(rig, arguments.decisions, number)
                print(f"  round {number + 1}, {name}: {figures[name].facts['median_s']}", flush=True)
    _fill(report, figures, arguments)
    report.write(arguments.out)
    return 0 if report.is_reached else 1


def _fill(report: Report, figures: dict[str, Figures], arguments: argparse.Namespace) -> None:
    ours = figures["ours"]
    report.facts = {
        "tenants": arguments.tenants,
        "decisions": arguments.decisions,
        **{name: each.facts for name, each in figures.items()},
    }
    report.limits = [
        Limit(f"{name}, s", "s", each, _LIMIT_S[name] * max(1.0, arguments.tenants / 1_000))
        for name, each in ours.seconds.items()
    ]
    report.limits.append(
        Limit("flows sent by a restart, plus 1", "flows", [n + 1 for n in ours.flows_sent], 1)
    )
    if before := figures.get("before"):
        report.comparisons = [
            Comparison(
                f"speed: {name}",
                "in an hour",
                "before",
                _rate(each),
                _rate(before.seconds[name]),
                _WANTED[name],
            )
            for name, each in ours.seconds.items()
        ]
        report.comparisons += [
            Comparison(
                f"processor: {name}",
                "in an hour",
                "before",
                _rate(each),
                _rate(before.processor_s[name]),
                _WANTED_OF_PROCESSOR[name],
            )
            for name, each in ours.processor_s.items()
        ]


def _rate(seconds: list[float]) -> list[float]:
    return [3_600 / each for each in seconds]


@contextmanager
def _rigs(checkouts: dict[str, Path], arguments: argparse.Namespace) -> Iterator[dict[str, Rig]]:
    """Only one of them works at a time; the others wait for their turn."""
    rigs: dict[str, Rig] = {}
    with tempfile.TemporaryDirectory(prefix="pb-") as directory:
        try:
            for name, checkout in checkouts.items():
                (place := Path(directory) / name).mkdir()
                rigs[name] = Rig(place, checkout, arguments.tenants)
                rigs[name].begin(arguments.decisions)
            yield rigs
        finally:
            for rig in rigs.values():
                rig.end()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.control_plane", description=__doc__)
    parser.add_argument("--tenants", type=int, default=1_000)
    parser.add_argument("--decisions", type=int, default=10_000, help="in force all the time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, metavar="DIR", help="a checkout of an earlier commit")
    parser.add_argument("--out", type=Path, default=HERE / "build" / "benchmarks" / "control_plane.json")
    return parser


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("benchmarks.control_plane", main)


if __name__ == "__main__":
    sys.exit(run())
