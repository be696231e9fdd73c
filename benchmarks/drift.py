"""What it costs to watch a switch, and how soon a change by hand is put right.

A stranger on the management socket of a private switch changes it; a monitor of the stranger's own says when
the real controller has undone that. Needs no root: Open vSwitch runs on its dummy datapath, in a directory of
its own.
"""

import argparse
import os
import re
import socket
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.control_plane import HERE, Rig
from benchmarks.report import Limit, Report
from common import entry
from controller.openflow import messages, replies
from controller.openflow.messages import VERSION, MonitorFlag, Multipart, Type
from controller.openflow.updates import parse_updates
from controller.sync.state import WireFlow, WireKey

_PATIENCE_S = 120.0
_ECHO_REQUEST, _ECHO_REPLY = 2, 3
_QUIET_S = 5.5  # after this time, a change is not taken for part of a fight
_ANY, _ALL_TABLES = 0xFFFF_FFFF, 0xFF
_NORMAL = bytes.fromhex("000400180000000000000010fffffffa0000000000000000")
_LIMITS = {
    "a foreign flow until it is gone, s": 1.0,
    "the same, if the last one was just repaired, s": 1.5,
    "a changed group until it is as before, s": 1.0,
    "a changed meter until it is as before, s": 1.0,
    "all flows deleted until all are back, s": 30.0,
    "processor of the controller while idle, %": 15.0,
    "processor of the switch while idle, %": 15.0,
}


class Stranger:
    """Another client of the switch, which changes it and looks on."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_PATIENCE_S)
        self._socket.connect(str(path))
        self._socket.sendall(messages.message(Type.HELLO, 0, struct.pack("!HHI", 1, 8, 1 << VERSION)))
        self._monitors = 0

    def close(self) -> None:
        self._socket.close()

    def initial_s(self) -> tuple[float, int]:
        """Request a monitor that begins with all flows; return how long that takes, and its bytes."""
        self._monitors += 1
        flags = MonitorFlag.INITIAL | MonitorFlag.REMOVED | MonitorFlag.ADD | MonitorFlag.INSTRUCTIONS
        body = struct.pack(
            "!HH4xIIIHBB", Multipart.FLOW_MONITOR, 0, self._monitors, _ANY, _ANY, flags, _ALL_TABLES, 0
        )
        match = struct.pack("!HH4x", 1, 4)
        begun, size = time.monotonic(), 0
        self._socket.sendall(messages.message(Type.MULTIPART_REQUEST, 7, body + match))
        for buffer in self._received():
            kind, xid = replies.header_of(buffer)
            if kind == Type.MULTIPART_REPLY and xid == 7:
                size += len(buffer)
                if not replies.parse_multipart(buffer).has_more:
                    return time.monotonic() - begun, size
        raise ConnectionError("the switch closed the connection")

    def intrude(self, priority: int) -> float:
        """Add a flow that leads all packets past the pipeline; return the seconds until it is gone."""
        flow = WireFlow(WireKey(0, priority, b""), 0, _NORMAL, b"")
        begun = time.monotonic()
        self._socket.sendall(messages.add_flow(1, flow))
        for buffer in self._received():
            if buffer[1] != Type.MULTIPART_REPLY or buffer[8:10] != Multipart.FLOW_MONITOR.to_bytes(2):
                continue
            updates = parse_updates(replies.parse_multipart(buffer).body).updates
            if any(update.was_removed and update.flow.key == flow.key for update in updates):
                return time.monotonic() - begun
        raise ConnectionError("the switch closed the connection")

    def _received(self) -> Iterator[bytes]:
        while True:
            head = self._exactly(8)
            _, kind, length, xid = struct.unpack("!BBHI", head)
            buffer = head + self._exactly(length - 8)
            if kind == _ECHO_REQUEST:
                self._socket.sendall(messages.message(_ECHO_REPLY, xid, buffer[8:]))
            else:
                yield buffer

    def _exactly(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            if not (part := self._socket.recv(min(size - len(parts), 1 << 16))):
                raise ConnectionError("the switch closed the connection")
            parts += part
        return bytes(parts)


class WatchedRig(Rig):
    """A controller whose switch a stranger changes."""

    def flows(self) -> int:
        return int(self.ovs.ofctl("dump-aggregate", "s1").partition("flow_count=")[2].split()[0])

    def delete_all(self) -> float:
        """Delete all flows by hand; return the seconds until all are back."""
        whole = self.flows()
        self.ovs.ofctl("del-flows", "s1")
        begun = time.monotonic()
        while self.flows() < whole:
            if time.monotonic() - begun > _PATIENCE_S:
                raise TimeoutError(f"{self.flows()} of {whole} flows are back after {_PATIENCE_S:.0f} s")
            time.sleep(0.02)
        seconds = time.monotonic() - begun
        self.await_confirmed()
        return seconds

    def change_group(self) -> float:
        """Change a group by hand; return the seconds until it is as before."""
        number = self._numbers("dump-groups", "group_id")[0]
        return self._until_back("dump-groups", f"group_id={number},type=select,bucket=output:2", number)

    def change_meter(self) -> float:
        """Change a meter by hand; return the seconds until it is as before."""
        number = self._numbers("dump-meters", "meter")[0]
        return self._until_back(
            "dump-meter", f"meter={number},pktps,band=type=drop,rate=7", f"meter={number}"
        )

    def _numbers(self, command: str, key: str) -> list[str]:
        dump = self.ovs.ofctl(command, "s1")
        return [part.partition("=")[2] for part in re.split(r"[\s,]", dump) if part.startswith(f"{key}=")]

    def _until_back(self, dump: str, changed: str, which: str) -> float:
        before = self.ovs.ofctl(dump, "s1", which)
        command = dump.removesuffix("s").replace("dump", "mod")
        self.ovs.ofctl(command, "s1", changed)
        begun = time.monotonic()
        while _without_xid(self.ovs.ofctl(dump, "s1", which)) != _without_xid(before):
            if time.monotonic() - begun > _PATIENCE_S:
                raise TimeoutError(f"`{command} {changed}` was not undone within {_PATIENCE_S:.0f} s")
            time.sleep(0.01)
        return time.monotonic() - begun

    def idle_shares(self, seconds: float) -> tuple[float, float]:
        """Return the processor time that controller and switch use while nothing happens, in percent."""
        before = self.processor_s(), self._of_switch()
        time.sleep(seconds)
        after = self.processor_s(), self._of_switch()
        first, second = (100 * (b - a) / seconds for a, b in zip(before, after, strict=True))
        return first, second

    def _of_switch(self) -> float:
        pid = int((self.ovs.directory / "vswitchd.pid").read_text(encoding="ascii"))
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def _without_xid(reply: str) -> list[str]:
    return reply.splitlines()[1:]


def main() -> int:
    arguments = parse_arguments()
    report = measure(arguments)
    report.write(arguments.out)
    return 0 if report.is_reached else 1


def measure(arguments: argparse.Namespace) -> Report:
    """Return the figures of a real switch, with a controller of its own."""
    with tempfile.TemporaryDirectory(prefix="pb-") as directory:
        rig = WatchedRig(Path(directory), HERE, arguments.tenants)
        try:
            rig.begin(arguments.decisions)
            return _measured(rig, arguments)
        finally:
            rig.end()


def _measured(rig: WatchedRig, arguments: argparse.Namespace) -> Report:
    flows = rig.flows()
    report = Report(f"Drift on a switch with {flows:,} flows")
    rig.await_confirmed()
    ours, of_switch = rig.idle_shares(arguments.idle)
    stranger = Stranger(rig.ovs.management_socket("s1"))
    initial_s, size = stranger.initial_s()
    rounds = []
    for number in range(arguments.rounds):
        time.sleep(_QUIET_S)
        rounds.append(stranger.intrude(60_000 + number))
    fight = [stranger.intrude(61_000 + number) for number in range(2 * arguments.rounds)]
    stranger.close()
    rig.await_confirmed()
    groups, meters = [], []
    for _ in range(arguments.rounds):
        time.sleep(_QUIET_S)
        groups.append(rig.change_group())
        meters.append(rig.change_meter())
    back_s = [rig.delete_all() for _ in range(arguments.deletions)]
    figures = [rounds, fight, groups, meters, back_s, [ours], [of_switch]]
    report.limits = [
        Limit(name, "", each, wanted) for (name, wanted), each in zip(_LIMITS.items(), figures, strict=True)
    ]
    report.facts = {
        "flows": flows,
        "repair_median_s": round(statistics.median(rounds), 4),
        "repair_in_a_fight_median_s": round(statistics.median(fight), 4),
        "group_median_s": round(statistics.median(groups), 4),
        "meter_median_s": round(statistics.median(meters), 4),
        "initial_s": round(initial_s, 3),
        "initial_bytes": size,
        "resident_mb": round(rig.resident_mb(), 1),
    }
    print(f"{flows:,} flows; a monitor with INITIAL: {initial_s:.2f} s, {size:,} bytes")
    return report


def parse_arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Return the options; `given`: instead of the command line's."""
    parser = argparse.ArgumentParser(prog="benchmarks.drift", description=__doc__)
    parser.add_argument("--tenants", type=int, default=100)
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--deletions", type=int, default=2, help="how often all flows are deleted")
    parser.add_argument("--idle", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("--out", type=Path, default=HERE / "build" / "benchmarks" / "drift.json")
    return parser.parse_args(given)


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("benchmarks.drift", main)


if __name__ == "__main__":
    sys.exit(run())
