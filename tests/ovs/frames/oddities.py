"""Frames that are not simple packets of a session: errors, fragments, tags, foreign MACs, ARP, ND."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from random import Random

from controller.pipeline.fields import EthType
from tests.ovs.frames import craft
from tests.ovs.frames.craft import ACK, ICMP_OF, SYN, Fragment, Tuple5, ip_frame, packet
from tests.ovs.frames.hosts import Cast, Host
from tests.ovs.frames.network import Sent

# Destination unreachable, fragmentation needed, source quench, redirect, time exceeded, parameter problem.
_ERRORS4 = (0x0300, 0x0301, 0x0303, 0x0304, 0x0400, 0x0501, 0x0B00, 0x0C00)
_ERRORS6 = (0x0100, 0x0104, 0x0200, 0x0300, 0x0400)
# Open vSwitch's userspace conntrack refuses first fragments that are smaller than about this (lib/ipf.c).
_LARGE = 1_288
_MULTICAST = "33:33:ff:00:00:01"
_BROADCAST = "ff:ff:ff:ff:ff:ff"


class Oddities:
    """Draws odd frames; all that is random comes from the generator that it is given."""

    def __init__(self, chance: Random, cast: Cast) -> None:
        self._chance = chance
        self._cast = cast

    def quote(self, host: Host, quoted: Tuple5) -> Sequence[Sent]:
        """Return an ICMP error about a packet with the tuple, to its source."""
        kind = self._chance.choice(_ERRORS4 if quoted.version == 4 else _ERRORS6)
        routers = [
            each for each in (*self._cast.addresses, *host.addresses) if each.version == quoted.version
        ]
        source = self._chance.choice((quoted.target, quoted.target, self._chance.choice(routers)))
        target = quoted.source if self._chance.random() < 0.9 else self._chance.choice(routers)
        outer = Tuple5(ICMP_OF[quoted.version], source, target, kind, 0)
        inner = packet(quoted, craft.body_of(quoted, ACK, 1_001, 5_001), ttl=1)
        body = craft.icmp(outer, inner if self._chance.random() < 0.8 else inner[:-4])
        return [Sent(host.at, ip_frame(host.macs, packet(outer, body)), "error that quotes a session")]

    def pieces(self, host: Host, tuple5: Tuple5) -> Sequence[Sent]:
        """Return fragments of one packet: all, or not; tiny, overlapping, or of two senders."""
        flags = self._chance.choice((SYN, SYN | ACK, ACK))
        cut = self._chance.choice((8, 16, 24, _LARGE, _LARGE, _LARGE))
        body = self._whole_body(tuple5, flags, cut + 80)
        mark = self._chance.randrange(1 << 16)
        parts = [(0, body[:cut], True), (cut, body[cut:], False)]
        trick = self._chance.choice(
            ("all", "all", "first", "later", "swapped", "overlap", "two senders", "forged first")
        )
        if trick == "overlap":
            parts = [(0, body[: cut + 8], True), (cut, body[cut:], False)]
        chosen = {"first": parts[:1], "later": parts[1:], "swapped": parts[::-1]}.get(trick, parts)
        other = self._chance.choice(self._cast.hosts)
        senders = {"two senders": [host, other], "forged first": [other, host]}.get(trick, [host, host])
        return [
            Sent(each.at, ip_frame(each.macs, packet(tuple5, data, Fragment(offset, more, mark))),
                 f"fragment ({trick})")
            for each, (offset, data, more) in zip(senders, chosen, strict=False)
        ]  # fmt: skip

    def _whole_body(self, tuple5: Tuple5, flags: int, size: int) -> bytes:
        more = bytes(size)
        if tuple5.protocol == 6:
            return craft.segment(tuple5, flags, 1_000, 0, more)
        if tuple5.protocol == 17:
            return craft.datagram(tuple5, more)
        return craft.icmp(tuple5, more) if tuple5.is_icmp else more

    def dress(self, frame: Sent) -> Sent:
        """Return a frame with VLAN tags, or with MACs that are not the sender's or not the edge's."""
        data, host = frame.data, self._chance.choice(self._cast.hosts)
        way = self._chance.choice(
            ("tag", "two tags", "zero tag", "source", "target", "edge as source", "group")
        )
        tag = self._chance.choice((1, 2, 3, 100, 4095))
        if way == "tag" or way == "zero tag":
            data = _tagged(data, tag if way == "tag" else 0)
        elif way == "two tags":
            data = _tagged(_tagged(data, tag), 5)
        elif way == "source":
            data = data[:6] + craft.mac_bytes(host.mac) + data[12:]
        elif way == "target":
            data = craft.mac_bytes(self._chance.choice((host.mac, host.edge_mac))) + data[6:]
        elif way == "edge as source":
            data = data[:6] + craft.mac_bytes(host.edge_mac) + data[12:]
        else:
            data = craft.mac_bytes(self._chance.choice((_MULTICAST, _BROADCAST))) + data[6:]
        return replace(frame, data=data, what=f"{frame.what} ({way})")

    def about_neighbours(self, host: Host) -> Sequence[Sent]:
        """Return an ARP message or a neighbour solicitation, honest or not."""
        asked = self._chance.choice(self._cast.addresses)
        claimed = self._chance.choice([a for a in self._cast.addresses if a.version == asked.version])
        mac = self._chance.choice((host.mac, self._chance.choice(self._cast.hosts).mac))
        if isinstance(asked, IPv4Address):
            body = craft.arp(self._chance.choice((1, 1, 2)), (mac, str(claimed)), (_BROADCAST, str(asked)))
            return [Sent(host.at, craft.frame((host.mac, _BROADCAST), EthType.ARP, body), "ARP")]
        body = craft.solicitation(claimed, asked, mac)
        to = self._chance.choice((_MULTICAST, host.edge_mac))
        return [Sent(host.at, craft.frame((host.mac, to), EthType.IPV6, body), "solicitation")]


def _tagged(frame: bytes, tag: int) -> bytes:
    return frame[:12] + b"\x81\x00" + tag.to_bytes(2) + frame[12:]
