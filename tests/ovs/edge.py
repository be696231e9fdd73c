"""The demo policy on a real switch: frames in at a port, frames out at ports."""

import time
from ipaddress import ip_address
from pathlib import Path

from ryu.lib.packet import arp, ethernet, packet

from controller.compiler.compile import compile_policy
from controller.compiler.network_state import ALL_IS_WELL, Conditions
from controller.openflow.encode import to_wire
from controller.policy.model import Policy
from controller.policy.parse import read_policy
from controller.sync.outcomes import PlanConfirmed
from controller.sync.plan import Plan, difference
from tests.openflow.client import SwitchClient
from tests.ovs.dummy import DummyOvs
from tests.ovs.packets import arp_request, error_frame, read_frames, tcp_frame, udp_frame

DEMO = Path(__file__).parents[2] / "policies" / "demo.yaml"
EDGE_MAC = "02:50:00:00:00:01"
MAC_BY_PORT = {
    1: "02:bb:00:00:00:01",
    2: "02:aa:00:00:00:01",
    3: "02:aa:00:00:00:02",
    4: "02:cc:00:00:00:01",
    5: "02:cc:00:00:00:02",
    6: "02:dd:00:00:00:01",
    7: "02:dd:00:00:00:02",
    8: "02:ff:00:00:00:01",
    9: "02:ee:00:00:00:01",
    10: "02:ab:00:00:00:01",
    11: "02:ab:00:00:00:02",
}
EDGE_ADDRESS_BY_PORT = {
    1: "100.64.0.1",
    2: "100.64.1.1",
    3: "100.64.2.1",
    4: "192.0.2.1",
    5: "192.0.2.1",
    6: "192.0.2.1",
    7: "192.0.2.1",
    8: "192.0.2.1",
    9: "192.0.2.1",
    10: "192.0.2.1",
    11: "192.0.2.1",
}
_MARKER_SOURCE = "169.254.77.77"  # nobody else asks from here
UPLINK, ACME, GLOBEX, PROXY1, PROXY2, SCANNER1, SCANNER2, RESPONDER, DECOY, AV1, AV2 = MAC_BY_PORT


class EdgeUnderTest:
    """One switch that carries out a policy."""

    def __init__(self, ovs: DummyOvs) -> None:
        self.ovs = ovs
        self._seen = dict.fromkeys(MAC_BY_PORT, 0)
        ovs.add_bridge("s1", 1, ports=len(MAC_BY_PORT))
        for port in MAC_BY_PORT:
            ovs.vsctl("set", "interface", f"s1p{port}", f"options:tx_pcap={self._capture(port)}")
        self.apply(read_policy(DEMO))

    def apply(self, policy: Policy, conditions: Conditions = ALL_IS_WELL) -> Plan:
        """Bring the switch in step with a policy; return what was sent."""
        desired = to_wire(compile_policy(policy, conditions)["s1"])
        with SwitchClient(self.ovs.management_socket("s1")) as client:
            plan = difference(desired, client.read().installed)
            if not plan.is_empty:
                assert isinstance(client.send(plan), PlanConfirmed)
            assert difference(desired, client.read().installed).is_empty
        self.ovs.empty_caches()
        return plan

    def send(self, port: int, frame: bytes) -> dict[int, list[packet.Packet]]:
        """Send one frame into a port; return the frames that came out, by port."""
        self.ovs.appctl("netdev-dummy/receive", f"s1p{port}", frame.hex())
        self._await_marker(port)
        arrived = {}
        for out in MAC_BY_PORT:
            frames = [each for each in self._new_frames(out) if not _is_marker(each)]
            if frames:
                arrived[out] = frames
            self._seen[out] += len(self._new_frames(out))
        return arrived

    def _new_frames(self, port: int) -> list[packet.Packet]:
        return read_frames(self._capture(port))[self._seen[port] :]

    def _await_marker(self, port: int) -> None:
        """Ask the edge for its own address, behind the frame: once that is answered, the frame is through."""
        question = arp_request(MAC_BY_PORT[port], _MARKER_SOURCE, EDGE_ADDRESS_BY_PORT[port])
        self.ovs.appctl("netdev-dummy/receive", f"s1p{port}", question.hex())
        deadline = time.monotonic() + 60
        while not any(map(_is_marker, self._new_frames(port))):
            assert time.monotonic() < deadline, (
                f"port {port} does not answer for {EDGE_ADDRESS_BY_PORT[port]}"
            )
            time.sleep(0.005)

    def send_tcp(self, port: int, source: tuple[str, int], target: tuple[str, int], flags: int) -> set[int]:
        """Send a TCP segment as the neighbour at `port` would; return the ports it left by."""
        return set(self.send(port, tcp_frame((MAC_BY_PORT[port], EDGE_MAC), source, target, flags)))

    def send_udp(self, port: int, source: tuple[str, int], target: tuple[str, int]) -> set[int]:
        """Send a UDP datagram as the neighbour at `port` would; return the ports it left by."""
        return set(self.send(port, udp_frame((MAC_BY_PORT[port], EDGE_MAC), source, target)))

    def send_error(self, port: int, source: str, kind: tuple[int, int], about: bytes) -> set[int]:
        """Send an ICMP error (type, code) about a frame, as the neighbour at `port` would."""
        return set(self.send(port, error_frame((MAC_BY_PORT[port], EDGE_MAC), source, kind, about)))

    def reply_frame(
        self, port: int, source: tuple[str, int], target: tuple[str, int], flags: int
    ) -> packet.Packet:
        """Send a segment that must leave exactly once; return the frame that left."""
        arrived = self.send(port, tcp_frame((MAC_BY_PORT[port], EDGE_MAC), source, target, flags))
        ((_, frames),) = arrived.items()
        (frame,) = frames
        return frame

    def _capture(self, port: int) -> Path:
        return self.ovs.directory / f"p{port}.pcap"


def _is_marker(frame: packet.Packet) -> bool:
    answer = frame.get_protocol(arp.arp)
    return answer is not None and answer.dst_ip == _MARKER_SOURCE


def macs_of(frame: packet.Packet) -> tuple[str, str]:
    head = frame.get_protocol(ethernet.ethernet)
    return head.src, head.dst


def is_ipv6(address: str) -> bool:
    return ip_address(address).version == 6
