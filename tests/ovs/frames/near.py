"""Random frames near a fault: with the ports, addresses and senders that it names, if possible."""

import re
from collections.abc import Sequence
from ipaddress import ip_address
from random import Random

from common.wire.values import Address
from controller.pipeline.fields import IpProto
from controller.policy.model import PortRef
from tests.ovs.frames import craft
from tests.ovs.frames.craft import ACK, RST, SYN, Fragment, Tuple5, ip_frame, packet
from tests.ovs.frames.hosts import Cast, Host
from tests.ovs.frames.network import Sent

_ADDRESS = re.compile(r"(?:nw|ipv6)_(?:src|dst)=([0-9a-f.:]+)")
_PORT = re.compile(r"tp_(?:src|dst)=(\d+)")
_IN_PORT = re.compile(r"in_port=(\d+)")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_PIECES = 6
_PORTS = (25, 25, 80, 3310, 53, 40_000)


class Near:
    """Draws frames near a fault that is given in words, as in `Fault.what`."""

    def __init__(self, chance: Random, cast: Cast, switch: str, what: str) -> None:
        self._chance = chance
        self._cast = cast
        named = {str(ip_address(each)) for each in _ADDRESS.findall(what)}
        self._addresses = [ip_address(each) for each in sorted(named)]
        self._ports = [int(each) for each in _PORT.findall(what)]
        macs = set(_MAC.findall(what))
        at = {PortRef(switch, int(each)) for each in _IN_PORT.findall(what)}
        self._hosts = [host for host in cast.hosts if host.at in at or host.mac in macs]
        # Where a switch learns MACs, frames straight to a MAC that it has learned matter most.
        self._straight = 0.5 if "learn(" in what else 0.2

    def step(self) -> Sequence[Sent]:
        host = self._host()
        target = self._address()
        own = [each for each in host.addresses if each.version == target.version]
        others = [each for each in self._cast.addresses if each.version == target.version]
        source = self._chance.choice(own if own and self._chance.random() < 0.6 else others)
        if self._addresses and self._chance.random() < 0.3:
            source, target = target, source
        protocol = self._chance.choice((IpProto.TCP,) * 4 + (IpProto.UDP, craft.ICMP_OF[target.version]))
        tuple5 = Tuple5(protocol, source, target, self._port(), self._port())
        if tuple5.is_icmp:
            tuple5 = Tuple5(protocol, source, target, 0x0800 if target.version == 4 else 0x8000, 7)
        flags = self._chance.choice((SYN, SYN, SYN, ACK, SYN | ACK, SYN | RST))
        is_straight = self._chance.random() < self._straight
        macs = (host.mac, self._host().mac if is_straight else host.edge_mac)
        return [Sent(host.at, ip_frame(macs, packet(tuple5, craft.body_of(tuple5, flags))), "near the fault")]

    def pieces(self) -> Sequence[Sent]:
        """Return first and later pieces of packets that never become whole, by all hosts."""
        sent = []
        for host in self._hosts or self._cast.hosts:
            for number in range(_PIECES):
                target = self._address()
                own = [each for each in host.addresses if each.version == target.version] or [target]
                tuple5 = Tuple5(IpProto.UDP, self._chance.choice(own), target, 5_353, 53)
                body = craft.datagram(tuple5, bytes(2_600))
                offset = self._chance.choice((0, 1_288))
                part = Fragment(offset, more=True, identification=number)
                data = packet(tuple5, body[offset : offset + 1_288], part)
                sent.append(Sent(host.at, ip_frame(host.macs, data), "piece that is held"))
        return sent

    def _host(self) -> Host:
        is_named = self._hosts and self._chance.random() < 0.7
        return self._chance.choice(self._hosts if is_named else list(self._cast.hosts))

    def _address(self) -> Address:
        is_named = self._addresses and self._chance.random() < 0.6
        return self._chance.choice(self._addresses if is_named else list(self._cast.addresses))

    def _port(self) -> int:
        is_named = self._ports and self._chance.random() < 0.5
        return self._chance.choice(self._ports if is_named else list(_PORTS))
