"""A small blocking OpenFlow client over a switch's management socket (`BRIDGE.mgmt`).

For tests: it reads and writes one switch without a controller. The controller itself talks through
Ryu (`apps/`).
"""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from controller.openflow import messages
from controller.openflow.conversation import Conversation
from controller.openflow.messages import VERSION, Type
from controller.openflow.replies import BadMessage
from controller.sync.outcomes import (
    GroupsRead,
    MonitorRefused,
    MonitorStarted,
    PlanConfirmed,
    PlanRefused,
    Port,
    PortChanged,
    PortsRead,
    SwitchRead,
)
from controller.sync.plan import Plan
from controller.sync.settings import SettingsReset

_ECHO_REQUEST, _ECHO_REPLY = 2, 3


class SwitchClient:
    """One connection to one switch. Raise `OSError` when it breaks, `BadMessage` on garbage."""

    def __init__(self, path: Path, timeout_s: float = 20.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        self._socket.connect(str(path))
        self._conversation = Conversation()
        self._attempt = 0
        self._socket.sendall(messages.message(Type.HELLO, 0, struct.pack("!HHI", 1, 8, 1 << VERSION)))

    def __enter__(self) -> "SwitchClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def read(self) -> SwitchRead:
        """Return all flows, groups and ports of the switch."""
        self._attempt += 1
        self._socket.sendall(b"".join(self._conversation.ask_state(self._attempt)))
        for outcome in self._outcomes():
            if isinstance(outcome, SwitchRead):
                return outcome
        raise BadMessage("the switch closed the connection")

    def send(self, plan: Plan) -> PlanConfirmed | PlanRefused:
        """Send a plan as one bundle and wait for the barrier."""
        self.begin(plan)
        for outcome in self._outcomes():
            if isinstance(outcome, PlanConfirmed | PlanRefused):
                return outcome
        raise BadMessage("the switch closed the connection")

    def read_groups(self) -> GroupsRead:
        """Return all groups, meters and settings of the switch."""
        self._socket.sendall(b"".join(self._conversation.ask_groups(1)))
        outcome = self.await_outcome(GroupsRead)
        assert isinstance(outcome, GroupsRead)
        return outcome

    def reset(self, reset: SettingsReset) -> tuple[Port, ...]:
        """Put settings back; return the ports as they are afterwards."""
        self._socket.sendall(b"".join(self._conversation.reset(reset)))
        outcome = self.await_outcome(PortChanged, PortsRead)
        assert isinstance(outcome, PortsRead)  # a switch does not report what we have changed ourselves
        return outcome.ports

    def begin(self, plan: Plan) -> None:
        """Send a plan, and wait for nothing."""
        self._attempt += 1
        self._socket.sendall(b"".join(self._conversation.send_plan(self._attempt, plan)))

    def watch(self) -> MonitorStarted | MonitorRefused:
        """Request a monitor."""
        self._socket.sendall(b"".join(self._conversation.ask_monitor()))
        outcome = self.await_outcome(MonitorStarted, MonitorRefused)
        assert isinstance(outcome, MonitorStarted | MonitorRefused)
        return outcome

    def await_outcome(self, *kinds: type) -> object:
        """Return the next outcome of one of these kinds."""
        for outcome in self._outcomes():
            if isinstance(outcome, kinds):
                return outcome
        raise BadMessage("the switch closed the connection")

    def _outcomes(self) -> Iterator[object]:
        while True:
            head = self._receive_exactly(8)
            _, kind, length, xid = struct.unpack("!BBHI", head)
            if length < 8:
                raise BadMessage(f"header says {length} bytes")
            buffer = head + self._receive_exactly(length - 8)
            if kind == _ECHO_REQUEST:
                self._socket.sendall(messages.message(_ECHO_REPLY, xid, buffer[8:]))
                continue
            outcome = self._conversation.receive(buffer)
            self._socket.sendall(b"".join(self._conversation.take_outgoing()))
            if outcome is not None:
                yield outcome

    def _receive_exactly(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._socket.recv(min(size, 1 << 16))
            if not part:
                raise ConnectionError("the switch closed the connection")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
