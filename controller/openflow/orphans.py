"""Messages that end a session: the switch forgets it, and its initiator is made to send a packet.

Source: Open vSwitch 3.1, NXT_CT_FLUSH (ovs-ofctl(8), ct-flush), with numbers from
what that program sends; RFC 9293, 3.1 for the segment.
"""

import struct
from ipaddress import IPv4Address, IPv6Address

from ryu.lib.packet import ethernet, ipv4, ipv6, packet, tcp

from controller.openflow.messages import Type, message
from controller.policy.model import Address
from controller.pools.conntrack import Connection

_NICIRA, _CT_FLUSH = 0x0000_2320, 32
_TCP = 6
_ORIGINAL, _ZONE = 0, 2  # properties of the message
_SOURCE, _DESTINATION, _SOURCE_PORT, _DESTINATION_PORT = 0, 1, 2, 3  # and of the tuple in it
_IPV4, _IPV6 = 0x0800, 0x86DD
_HOPS = 64


def forget(xid: int, connection: Connection) -> bytes:
    """Make a switch forget a connection."""
    ends = (
        _long(_SOURCE, _as_ipv6(connection.source))
        + _long(_DESTINATION, _as_ipv6(connection.destination))
        + _short(_SOURCE_PORT, connection.source_port)
        + _short(_DESTINATION_PORT, connection.destination_port)
    )
    original = struct.pack("!HH4x", _ORIGINAL, 8 + len(ends)) + ends
    head = struct.pack("!IIB7x", _NICIRA, _CT_FLUSH, _TCP)
    return message(Type.EXPERIMENTER, xid, head + original + _short(_ZONE, connection.zone))


def _as_ipv6(address: Address) -> bytes:
    return bytes(10) + b"\xff\xff" + address.packed if isinstance(address, IPv4Address) else address.packed


def _long(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("!HH", kind, length) + value + bytes(-length % 8)


def _short(kind: int, value: int) -> bytes:
    return struct.pack("!HHHH", kind, 8, value, 0)


def wake_up_frame(connection: Connection, own_mac: int) -> bytes:
    """Return a frame to the initiator: an unacceptable acknowledgement, which it must answer."""
    segment = tcp.tcp(
        src_port=connection.destination_port, dst_port=connection.source_port, bits=tcp.TCP_ACK, seq=1, ack=1
    )
    source, target = str(connection.destination), str(connection.source)
    macs = (connection.initiator.to_bytes(6).hex(":"), own_mac.to_bytes(6).hex(":"))
    built = packet.Packet()
    if isinstance(connection.source, IPv6Address):
        built.add_protocol(ethernet.ethernet(*macs, _IPV6))
        built.add_protocol(ipv6.ipv6(src=source, dst=target, nxt=_TCP, hop_limit=_HOPS))
    else:
        built.add_protocol(ethernet.ethernet(*macs, _IPV4))
        built.add_protocol(ipv4.ipv4(src=source, dst=target, proto=_TCP, ttl=_HOPS))
    built.add_protocol(segment)
    built.serialize()
    return bytes(built.data)
