"""Frames for tests: built and read with Ryu's packet library."""

import struct
from ipaddress import ip_address
from pathlib import Path

from ryu.lib import pcaplib
from ryu.lib.packet import arp, ethernet, icmp, icmpv6, ipv4, ipv6, packet, packet_utils, tcp, udp

SYN, ACK, RST, FIN = tcp.TCP_SYN, tcp.TCP_ACK, tcp.TCP_RST, tcp.TCP_FIN
_IPV4, _ARP, _IPV6 = 0x0800, 0x0806, 0x86DD
_ICMP, _TCP, _UDP, _FRAGMENT, _ICMPV6 = 1, 6, 17, 44, 58
_ETHERNET_BYTES = 14


def _serialized(*layers: object) -> bytes:
    built = packet.Packet()
    for layer in layers:
        built.add_protocol(layer)
    built.serialize()
    return bytes(built.data)


def tcp_frame(
    macs: tuple[str, str], source: tuple[str, int], target: tuple[str, int], flags: int, sequence: int = 1
) -> bytes:
    """Return a TCP segment; `macs` is (source, destination), ends are (address, port)."""
    return data_frame(macs, (source, target), flags, sequence)


def data_frame(
    macs: tuple[str, str],
    ends: tuple[tuple[str, int], tuple[str, int]],
    flags: int,
    sequence: int,
    data: bytes = b"",
) -> bytes:
    """Return a TCP segment that carries data."""
    source, target = ends
    acknowledged = 1 if flags & ACK else 0
    segment = tcp.tcp(
        src_port=source[1], dst_port=target[1], bits=flags, seq=sequence, ack=acknowledged, window_size=65_000
    )
    return _in_ip(macs, source[0], target[0], _TCP, segment, *([data] if data else []))


def udp_frame(
    macs: tuple[str, str], source: tuple[str, int], target: tuple[str, int], payload: bytes = b"test"
) -> bytes:
    """Return a UDP datagram; `macs` is (source, destination), ends are (address, port)."""
    datagram = udp.udp(src_port=source[1], dst_port=target[1])
    return _in_ip(macs, source[0], target[0], _UDP, datagram, payload)


def error_frame(macs: tuple[str, str], source: str, kind: tuple[int, int], about: bytes) -> bytes:
    """Return the ICMP error (type, code) that a router or host sends about a frame, to its sender."""
    quoted = about[_ETHERNET_BYTES:]
    if ip_address(source).version == 4:
        data = icmp.dest_unreach(data_len=len(quoted), mtu=1400, data=quoted)
        target = packet.Packet(about).get_protocol(ipv4.ipv4).src
        return _in_ip(macs, source, target, _ICMP, icmp.icmp(*kind, csum=0, data=data))
    target = packet.Packet(about).get_protocol(ipv6.ipv6).src
    data = (1400).to_bytes(4, "big") + quoted
    return _in_ip(macs, source, target, _ICMPV6, icmpv6.icmpv6(*kind, csum=0, data=data))


def _in_ip(macs: tuple[str, str], source: str, target: str, protocol: int, *layers: object) -> bytes:
    if ip_address(target).version == 4:
        head = ipv4.ipv4(src=source, dst=target, proto=protocol, ttl=64)
        return _serialized(ethernet.ethernet(macs[1], macs[0], _IPV4), head, *layers)
    head6 = ipv6.ipv6(src=source, dst=target, nxt=protocol, hop_limit=64)
    return _serialized(ethernet.ethernet(macs[1], macs[0], _IPV6), head6, *layers)


def arp_request(mac: str, address: str, wanted: str) -> bytes:
    question = arp.arp(opcode=arp.ARP_REQUEST, src_mac=mac, src_ip=address, dst_ip=wanted)
    return _serialized(ethernet.ethernet("ff:ff:ff:ff:ff:ff", mac, _ARP), question)


def neighbour_solicitation(mac: str, address: str, wanted: str) -> bytes:
    """Return an RFC 4861 solicitation to the wanted address' solicited-node group."""
    last = ip_address(wanted).packed[-3:]
    group = f"33:33:ff:{last.hex(':')}"
    question = icmpv6.nd_neighbor(dst=wanted, option=icmpv6.nd_option_sla(hw_src=mac))
    return _serialized(
        ethernet.ethernet(group, mac, _IPV6),
        ipv6.ipv6(
            src=address, dst=f"ff02::1:ff{last[0]:02x}:{last[1]:02x}{last[2]:02x}", nxt=_ICMPV6, hop_limit=255
        ),
        icmpv6.icmpv6(type_=icmpv6.ND_NEIGHBOR_SOLICIT, data=question),
    )


def read_frames(path: Path) -> list[packet.Packet]:
    """Return the frames of a capture file; none if the file was never written."""
    if not path.exists() or path.stat().st_size == 0:
        return []
    with path.open("rb") as file:
        return [packet.Packet(data) for _, data in pcaplib.Reader(file)]


def fragments(frame: bytes, *ends: int, number: int = 77) -> list[bytes]:
    """Return the IP fragments of a frame whose payloads end at these bytes (multiples of 8), and the rest."""
    head, network, payload = _split(frame)
    parts = list(zip((0, *ends), (*ends, len(payload)), strict=True))
    made = []
    for start, end in parts:
        more = end < len(payload)
        if network[0] >> 4 == 4:
            changed = bytearray(network)
            changed[2:4] = (len(network) + end - start).to_bytes(2, "big")
            changed[4:6] = number.to_bytes(2, "big")
            changed[6:8] = (start // 8 | more << 13).to_bytes(2, "big")
            changed[10:12] = bytes(2)
            changed[10:12] = packet_utils.checksum(bytes(changed)).to_bytes(2, "big")
            made.append(head + bytes(changed) + payload[start:end])
        else:
            about = struct.pack("!BBHI", network[6], 0, start | more, number)
            changed = bytearray(network)
            changed[4:6] = (len(about) + end - start).to_bytes(2, "big")
            changed[6] = _FRAGMENT
            made.append(head + bytes(changed) + about + payload[start:end])
    return made


def _split(frame: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the Ethernet head, the IP head and the payload of a frame."""
    head, rest = frame[:_ETHERNET_BYTES], frame[_ETHERNET_BYTES:]
    if rest[0] >> 4 == 4:
        return head, rest[:20], rest[20 : int.from_bytes(rest[2:4], "big")]
    return head, rest[:40], rest[40 : 40 + int.from_bytes(rest[4:6], "big")]
