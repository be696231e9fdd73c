"""Fast control of the private dummy Open vSwitch: one connection, many frames in one request.

`ovs-appctl` starts a process for each command. Here the commands go over one connection to the control socket
of ovs-vswitchd (JSON-RPC, ovs-appctl(8)), which is about 300 times as fast.
"""

import json
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# The receive queue of a dummy port holds 100 frames; the switch silently drops more (lib/netdev-dummy.c).
QUEUE = 90
_DEADLINE_S = 60.0


class SwitchControl:
    """Puts frames into dummy ports, and waits until the datapath has handled all of them."""

    def __init__(self, directory: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_DEADLINE_S)
        self._socket.connect(str(directory / "vswitchd.ctl"))
        self._received = self._handled()

    def close(self) -> None:
        self._socket.close()

    def call(self, command: str, *arguments: str) -> str:
        """Run one command of ovs-appctl(8); return its output."""
        request = {"id": 0, "method": command, "params": arguments}
        self._socket.sendall(json.dumps(request).encode())
        answer = self._answer()
        assert answer["error"] is None, f"{command}: {answer['error']}"
        return str(answer["result"])

    def _answer(self) -> Mapping[str, object]:
        buffer = b""
        while True:
            part = self._socket.recv(1 << 20)
            assert part, "ovs-vswitchd closed its control connection"
            buffer += part
            try:
                answer: Mapping[str, object] = json.loads(buffer)
            except ValueError:
                continue
            return answer

    def inject(self, frames_by_port: Mapping[str, Sequence[bytes]]) -> None:
        """Put frames into ports; return when the switch has handled them all.

        Frames of one port are handled in their order; those of several ports in turns, at most `QUEUE` each.
        The datapath without PMD threads runs in the switch's main thread, which also answers here: a frame
        that is counted as received has been handled to its end (lib/dpif-netdev.c, dpif_netdev_run).
        """
        for port, frames in frames_by_port.items():
            assert len(frames) <= QUEUE, f"{port}: at most {QUEUE} frames at once"
            self.call("netdev-dummy/receive", port, *[frame.hex() for frame in frames])
            self._received += len(frames)
        deadline = time.monotonic() + _DEADLINE_S
        while (handled := self._handled()) < self._received:
            assert time.monotonic() < deadline, f"{self._received - handled} frames were never handled"
        assert handled == self._received, "somebody else sends frames into this switch"

    def _handled(self) -> int:
        shown = self.call("dpif-netdev/pmd-stats-show")
        return sum(int(line.rpartition(":")[2]) for line in shown.splitlines() if "packets received:" in line)

    def forget_connections(self) -> None:
        self.call("dpctl/flush-conntrack")

    def let_pass(self, seconds: float) -> None:
        """Let time pass for the switch, at once (`time/warp` of programs that run with --enable-dummy)."""
        self.call("time/warp", str(int(seconds * 1_000)))

    def forget_flows(self) -> None:
        """Empty the datapath's caches, so that frames meet the tables as they are now."""
        self.call("revalidator/purge")

    def connections(self) -> list[str]:
        """Return the connection table, one line for each entry (ovs-dpctl(8), dump-conntrack)."""
        return self.call("dpctl/dump-conntrack").splitlines()
