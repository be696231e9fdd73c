"""Raw frames, built from bytes: also such as no library builds, with invalid flags or as odd fragments."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address

from common.wire.values import Address
from controller.pipeline.fields import EthType, IpProto

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
FRAGMENT_HEADER = 44  # RFC 8200, 4.5
ICMP_OF = {4: IpProto.ICMP, 6: IpProto.ICMPV6}
_TAG = 0x8100


@dataclass(frozen=True, slots=True)
class Tuple5:
    """What conntrack knows a connection by. For ICMP the ports are type << 8 | code, and the identifier."""

    protocol: int
    source: Address
    target: Address
    source_port: int = 0
    target_port: int = 0

    @property
    def version(self) -> int:
        return self.source.version

    @property
    def is_icmp(self) -> bool:
        return self.protocol in (IpProto.ICMP, IpProto.ICMPV6)

    def reversed(self) -> "Tuple5":
        """Return the tuple of a packet in the other direction; an echo request becomes a reply."""
        if self.is_icmp:
            return replace(
                self, source=self.target, target=self.source, source_port=_answer(self.source_port)
            )
        return Tuple5(self.protocol, self.target, self.source, self.target_port, self.source_port)


_ANSWERS = {0x0800: 0x0000, 0x0000: 0x0800, 0x8000: 0x8100, 0x8100: 0x8000}


def _answer(kind: int) -> int:
    return _ANSWERS.get(kind, kind)


def checksum(data: bytes) -> int:
    """Return the internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def with_checksum(tuple5: Tuple5, body: bytes, at: int) -> bytes:
    """Write the checksum of a TCP, UDP or ICMPv6 body, which covers the addresses too, at an offset."""
    pseudo = tuple5.source.packed + tuple5.target.packed + struct.pack("!II", len(body), tuple5.protocol)
    total = checksum(pseudo + body)
    if tuple5.protocol == IpProto.UDP and total == 0:
        total = 0xFFFF  # RFC 768: zero means that there is none
    return body[:at] + struct.pack("!H", total) + body[at + 2 :]


def segment(tuple5: Tuple5, flags: int, sequence: int = 1, acknowledged: int = 0, data: bytes = b"") -> bytes:
    """Return a TCP segment (RFC 9293, 3.1)."""
    head = struct.pack(
        "!HHIIBBHHH", tuple5.source_port, tuple5.target_port, sequence & 0xFFFFFFFF,
        acknowledged & 0xFFFFFFFF, 5 << 4, flags, 65_000, 0, 0,
    )  # fmt: skip
    return with_checksum(tuple5, head + data, 16)


def datagram(tuple5: Tuple5, data: bytes = b"data") -> bytes:
    """Return a UDP datagram."""
    head = struct.pack("!HHHH", tuple5.source_port, tuple5.target_port, 8 + len(data), 0)
    return with_checksum(tuple5, head + data, 6)


def icmp(tuple5: Tuple5, rest: bytes = b"data") -> bytes:
    """Return an ICMP message: type and code from the source port, the word after it from the target port."""
    head = struct.pack("!HHHH", tuple5.source_port, 0, tuple5.target_port, 1)
    if tuple5.protocol == IpProto.ICMPV6:
        return with_checksum(tuple5, head + rest, 2)
    total = checksum(head + rest)
    return head[:2] + struct.pack("!H", total) + head[4:] + rest


def body_of(tuple5: Tuple5, flags: int = SYN, sequence: int = 1, acknowledged: int = 0) -> bytes:
    """Return a body that fits the tuple's protocol; flags and numbers are for TCP only."""
    if tuple5.protocol == IpProto.TCP:
        return segment(tuple5, flags, sequence, acknowledged)
    if tuple5.protocol == IpProto.UDP:
        return datagram(tuple5)
    if tuple5.is_icmp:
        return icmp(tuple5)
    return struct.pack("!HH", tuple5.source_port, tuple5.target_port) + b"something else"


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a packet: its place in bytes (a multiple of 8), and whether more follow."""

    offset: int
    more: bool
    identification: int


WHOLE = Fragment(0, False, 0)


def packet(tuple5: Tuple5, body: bytes, fragment: Fragment = WHOLE, ttl: int = 64) -> bytes:
    """Return an IP packet with a body, or with a part of one."""
    if tuple5.version == 4:
        return _packet4(tuple5, body, fragment, ttl)
    following = tuple5.protocol
    if fragment != WHOLE:
        place = fragment.offset & 0xFFF8 | fragment.more
        body = struct.pack("!BBHI", following, 0, place, fragment.identification) + body
        following = FRAGMENT_HEADER
    head = struct.pack("!IHBB", 6 << 28, len(body), following, ttl)
    return head + tuple5.source.packed + tuple5.target.packed + body


def _packet4(tuple5: Tuple5, body: bytes, fragment: Fragment, ttl: int) -> bytes:
    place = fragment.offset // 8 | (0x2000 if fragment.more else 0)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), fragment.identification & 0xFFFF, place, ttl,
                       tuple5.protocol, 0)  # fmt: skip
    head += tuple5.source.packed + tuple5.target.packed
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def frame(macs: tuple[str, str], eth_type: int, data: bytes, tags: Sequence[int] = ()) -> bytes:
    """Return a frame; `macs` is (source, destination), `tags` are VLAN numbers, the outer one first."""
    head = mac_bytes(macs[1]) + mac_bytes(macs[0])
    return head + b"".join(struct.pack("!HH", _TAG, tag) for tag in tags) + struct.pack("!H", eth_type) + data


def ip_frame(macs: tuple[str, str], data: bytes, tags: Sequence[int] = ()) -> bytes:
    """Return a frame with an IP packet of either version."""
    return frame(macs, EthType.IPV4 if data[0] >> 4 == 4 else EthType.IPV6, data, tags)


def mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def arp(operation: int, sender: tuple[str, str], target: tuple[str, str]) -> bytes:
    """Return an ARP message; both ends are (MAC, IPv4 address)."""
    ends = b"".join(mac_bytes(mac) + ip_address(address).packed for mac, address in (sender, target))
    return struct.pack("!HHBBH", 1, EthType.IPV4, 6, 4, operation) + ends


def solicitation(source: Address, wanted: Address, mac: str) -> bytes:
    """Return a neighbour solicitation (RFC 4861, 4.3), sent to the wanted address itself."""
    asked = Tuple5(IpProto.ICMPV6, source, wanted, 135 << 8)
    body = struct.pack("!HHI", asked.source_port, 0, 0) + wanted.packed + b"\x01\x01" + mac_bytes(mac)
    return packet(asked, with_checksum(asked, body, 2), ttl=255)
