"""All switches of a policy as real ones: raw frames in at edge ports, raw frames out at edge ports.

Each switch of the policy is a bridge of one private dummy Open vSwitch. Edge ports are dummy ports, trunks
are pairs of patch ports. Every frame ends with a mark and its number, behind the end of the IP packet, where
padding is; so an arrival can be traced back to the frame that was sent, translated or not, fragment or not.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from controller.drift.bridge_settings import set_up
from controller.openflow.encode import to_wire
from controller.pipeline.flows import SwitchState
from controller.policy.model import Policy, PortRef
from controller.sync.outcomes import PlanConfirmed
from controller.sync.plan import difference
from controller.sync.state import WireState
from tests.openflow.client import SwitchClient
from tests.ovs.dummy import DummyOvs
from tests.ovs.frames.control import QUEUE, SwitchControl

STRANGE_PORT = 40
_CONTROLLER = "tcp:127.0.0.1:1"  # nothing answers there
LOCAL_PORT = 0xFFFF_FFFE  # OFPP_LOCAL
_MARK = b"\xf7mark\xf7"
_REMEMBERED = 100_000
# What the datapath has cached may make the switch learn a flow once more after it was deleted.
_TRIES = 5
# After 15 s, conntrack gives up the pieces of a packet of which others never came (lib/ipf.c).
_PATIENCE_S = 16
_PCAP_HEAD, _PCAP_RECORD = 24, struct.Struct("=IIII")


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame to send, without its mark. `what` says in words what it tries."""

    at: PortRef
    data: bytes
    what: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame that left an edge port, without its mark, and the frame that it was when it was sent."""

    frame: Sent
    at: PortRef
    data: bytes


class NetworkUnderTest:
    """The switches of one policy; `edge_ports` are those that do not lead to another switch.

    Each switch has one more port, which the policy does not name. Frames that leave by it, or by the switch's
    own port into its machine, are arrivals too.
    """

    def __init__(self, ovs: DummyOvs, policy: Policy) -> None:
        self.ovs = ovs
        self.policy = policy
        trunks = {end: other for link in policy.links for end, other in ((link.a, link.b), (link.b, link.a))}
        self.edge_ports = tuple(sorted(set(ports_of(policy)) - set(trunks)))
        strange = [PortRef(switch.name, STRANGE_PORT) for switch in policy.switches]
        local = [PortRef(switch.name, LOCAL_PORT) for switch in policy.switches]
        self._make_bridges(trunks, (*self.edge_ports, *strange))
        self.control = SwitchControl(ovs.directory)
        self._sent: dict[int, Sent] = {}
        self._count = 0
        self._captures = {port: _Capture(self._path(port)) for port in (*self.edge_ports, *strange, *local)}

    def __enter__(self) -> "NetworkUnderTest":
        return self

    def __exit__(self, kind: type[BaseException] | None, what: object, where: TracebackType | None) -> None:
        self.control.close()
        gone = [part for each in self.policy.switches for part in ("--", "del-br", each.name)]
        self.ovs.vsctl(*gone[1:])

    def _make_bridges(self, trunks: Mapping[PortRef, PortRef], outer: Iterable[PortRef]) -> None:
        commands: list[str] = []
        for switch in self.policy.switches:
            commands += ["--", "add-br", switch.name, "--", *set_up(switch.name).split()]
            commands += ["datapath_type=dummy", f"other-config:datapath-id={switch.dpid:016x}"]
            # A switch with a controller may have flows that one without a controller has not.
            commands += ["--", "set-controller", switch.name, _CONTROLLER]
            commands += ["--", "set", "interface", switch.name]
            commands += [self._captured(PortRef(switch.name, LOCAL_PORT))]
        for port in (*outer, *trunks):
            commands += ["--", "add-port", port.switch, _name(port), "--", "set", "interface", _name(port)]
            commands += [f"ofport_request={port.port}"]
            if port in trunks:
                commands += ["type=patch", f"options:peer={_name(trunks[port])}"]
            else:
                commands += ["type=dummy", self._captured(port)]
        self.ovs.vsctl(*commands[1:])

    def _captured(self, port: PortRef) -> str:
        """Return the option that makes the switch write what leaves by a port into an empty file."""
        self._path(port).unlink(missing_ok=True)  # the switch would append
        return f"options:tx_pcap={self._path(port)}"

    def _path(self, port: PortRef) -> Path:
        return self.ovs.directory / f"{_name(port)}.pcap"

    def install(self, states: Mapping[str, SwitchState]) -> None:
        """Bring all switches into the states of a compiled policy, and forget all connections."""
        self.bring_to({name: to_wire(state) for name, state in states.items()})
        self.control.forget_connections()

    def bring_to(self, wanted: Mapping[str, WireState]) -> None:
        for name, state in wanted.items():
            with self._client(name) as client:
                for _ in range(_TRIES):
                    self.control.forget_flows()
                    plan = difference(state, client.read().installed)
                    if plan.is_empty:
                        break
                    assert isinstance(client.send(plan), PlanConfirmed)
                else:
                    raise AssertionError(f"{name} is never in the wanted state")

    def installed(self, switch: str) -> WireState:
        """Return what a switch reports that it holds."""
        with self._client(switch) as client:
            return client.read().installed

    def _client(self, switch: str) -> SwitchClient:
        return SwitchClient(self.ovs.management_socket(switch))

    def send(self, frames: Sequence[Sent]) -> list[Arrival]:
        """Send frames at once; return all arrivals. Those sent at different ports have no order.

        An arrival may be of an earlier frame: conntrack holds fragments until the last one has come, or too
        long.
        """
        marked: dict[str, list[bytes]] = defaultdict(list)
        for frame in frames:
            self._count += 1
            self._sent[self._count] = frame
            self._sent.pop(self._count - _REMEMBERED, None)
            marked[_name(frame.at)].append(frame.data + _MARK + struct.pack("!I", self._count))
        while marked:
            self.control.inject({port: data[:QUEUE] for port, data in marked.items()})
            marked = {port: data[QUEUE:] for port, data in marked.items() if data[QUEUE:]}
        return list(self._arrivals())

    def let_pieces_expire(self) -> None:
        """Let time pass: conntrack then lets go of the pieces that it holds, behind any other packet."""
        self.control.let_pass(_PATIENCE_S)

    def send_one(self, frame: Sent) -> list[Arrival]:
        return self.send([frame])

    def _arrivals(self) -> Iterator[Arrival]:
        for port, capture in self._captures.items():
            for data in capture.read():
                body, mark, number = data.rpartition(_MARK)
                assert mark, f"{port}: a frame that nobody sent: {data.hex()}"
                yield Arrival(self._sent[struct.unpack("!I", number[:4])[0]], port, body)


def ports_of(policy: Policy) -> Iterator[PortRef]:
    for attachment in (*policy.uplinks, *(g for tenant in policy.tenants for g in tenant.gateways)):
        yield attachment.at
    for pool in policy.pools:
        for member in pool.members:
            yield member.at
    for link in policy.links:
        yield link.a
        yield link.b


def _name(port: PortRef) -> str:
    return f"{port.switch}p{port.port}"


class _Capture:
    """The frames that a port sends; the switch writes each one at once (lib/pcap-file.c)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = _PCAP_HEAD

    def read(self) -> Iterable[bytes]:
        """Return the frames since the last call."""
        if self._path.stat().st_size <= self._at:
            return []
        with self._path.open("rb") as file:
            file.seek(self._at)
            new = file.read()
        self._at += len(new)
        return list(_frames(new))


def _frames(records: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(records):
        size = _PCAP_RECORD.unpack_from(records, at)[2]
        at += _PCAP_RECORD.size
        yield records[at : at + size]
        at += size
