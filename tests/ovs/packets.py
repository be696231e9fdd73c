"""Frames for tests: built and read with Ryu's packet library."""

from ipaddress import ip_address
from pathlib import Path

from ryu.lib import pcaplib
from ryu.lib.packet import arp, ethernet, icmpv6, ipv4, ipv6, packet, tcp

SYN, ACK, RST, FIN = tcp.TCP_SYN, tcp.TCP_ACK, tcp.TCP_RST, tcp.TCP_FIN
_IPV4, _ARP, _IPV6 = 0x0800, 0x0806, 0x86DD
_TCP, _ICMPV6 = 6, 58


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
    acknowledged = 1 if flags & ACK else 0
    segment = tcp.tcp(
        src_port=source[1], dst_port=target[1], bits=flags, seq=sequence, ack=acknowledged, window_size=65_000
    )
    if ip_address(target[0]).version == 4:
        head = ipv4.ipv4(src=source[0], dst=target[0], proto=_TCP, ttl=64)
        return _serialized(ethernet.ethernet(macs[1], macs[0], _IPV4), head, segment)
    head6 = ipv6.ipv6(src=source[0], dst=target[0], nxt=_TCP, hop_limit=64)
    return _serialized(ethernet.ethernet(macs[1], macs[0], _IPV6), head6, segment)


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
