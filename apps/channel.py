"""The channel to one switch, over the framework's connection: commands to bytes, replies to outcomes."""

from typing import Any

from controller.openflow.conversation import Conversation
from controller.openflow.lldp import encode_probe
from controller.openflow.messages import packet_out
from controller.openflow.orphans import forget, wake_up_frame
from controller.policy.model import PortRef
from controller.pools.conntrack import Connection
from controller.sync.outcomes import Outcome
from controller.sync.plan import Plan
from controller.sync.settings import SettingsReset

_SEND_CHUNK_BYTES = 1 << 20


class RyuChannel:
    """`datapath`: the framework's object; only its `send` is used. `probe_key`: signs probes of trunks."""

    def __init__(self, datapath: Any, probe_key: bytes) -> None:
        self._datapath = datapath
        self._probe_key = probe_key
        self._conversation = Conversation()
        self.received = 0

    def read(self, attempt: int) -> None:
        self._send(self._conversation.ask_state(attempt))

    def watch(self) -> None:
        self._send(self._conversation.ask_monitor())

    def read_groups(self, turn: int) -> None:
        self._send(self._conversation.ask_groups(turn))

    def send(self, attempt: int, plan: Plan) -> None:
        self._send(self._conversation.send_plan(attempt, plan))

    def reset(self, reset: SettingsReset) -> None:
        self._send(self._conversation.reset(reset))

    def probe(self, origin: PortRef) -> None:
        self._send([packet_out(0, origin.port, encode_probe(origin, self._probe_key))])

    def forget(self, connections: tuple[Connection, ...]) -> None:
        self._send([forget(0, connection) for connection in connections])

    def look_up(self, number: int, cookie: int, mask: int) -> None:
        self._send(self._conversation.look_up(number, cookie, mask))

    def look_up_parts(self, number: int, meters: tuple[int, ...], with_groups: bool) -> None:
        self._send(self._conversation.look_up_parts(number, meters, with_groups=with_groups))

    def wake_up(self, connection: Connection, port: int, own_mac: int) -> None:
        self._send([packet_out(0, port, wake_up_frame(connection, own_mac))])

    def receive(self, buffer: bytes) -> Outcome | None:
        """Process one message of the switch. Raise `BadMessage` if it is not valid."""
        self.received += 1
        outcome = self._conversation.receive(buffer)
        self._send(self._conversation.take_outgoing())
        return outcome

    def _send(self, messages: list[bytes]) -> None:
        """Send messages in large pieces, because the framework's queue counts pieces, not bytes."""
        pending = bytearray()
        for message in messages:
            pending += message
            if len(pending) >= _SEND_CHUNK_BYTES:
                self._datapath.send(bytes(pending))
                pending.clear()
        if pending:
            self._datapath.send(bytes(pending))
