"""A sampled packet as evidence: a source that tried an unpublished port. Malformed packets are ignored."""

import struct
from ipaddress import ip_address

from controller.pipeline.fields import EthType, IpProto
from controller.policy.model import Protocol
from controller.suspicion.scores import Evidence

_VLAN = 0x8100
_PROTOCOLS = {
    IpProto.TCP: Protocol.TCP,
    IpProto.UDP: Protocol.UDP,
    IpProto.ICMP: Protocol.ICMP,
    IpProto.ICMPV6: Protocol.ICMP,
}


def read_sample(frame: bytes) -> Evidence | None:
    """Return the evidence in an Ethernet frame about its sender (RFC 791, 3.1; RFC 8200, 3), or None."""
    try:
        (eth_type,) = struct.unpack_from("!H", frame, 12)
        at = 14
        if eth_type == _VLAN:
            (eth_type,) = struct.unpack_from("!H", frame, 16)
            at = 18
        if eth_type == EthType.IPV4:
            number, size, width = frame[at + 9], (frame[at] & 0x0F) * 4, 4
            addresses = at + 12
        elif eth_type == EthType.IPV6:
            number, size, width = frame[at + 6], 40, 16
            addresses = at + 8
        else:
            return None
        source = ip_address(frame[addresses : addresses + width])
        destination = ip_address(frame[addresses + width : addresses + 2 * width])
        protocol = _PROTOCOLS.get(number)  # type: ignore[call-overload]
        has_ports = protocol in (Protocol.TCP, Protocol.UDP)
        port = struct.unpack_from("!H", frame, at + size + 2)[0] if has_ports else 0
    except (struct.error, IndexError, ValueError):
        return None
    return Evidence("dark-packet", source, destination=str(destination), port=port, protocol=protocol)
