"""What cuts a session: the same bytes that ovs-ofctl sends, and a frame that a client must answer."""

from ipaddress import ip_address

import pytest
from ryu.lib.packet import ethernet, ipv4, ipv6, packet, tcp

from controller.openflow.orphans import forget, wake_up_frame
from controller.pools.conntrack import Connection

# Read off `ovs-ofctl -O OpenFlow14 ct-flush BRIDGE zone=21 ct_nw_src=...` of Open vSwitch 3.1.
_SENT = {
    4: "05040068 00000002 00002320 00000020 06000000 00000000 00000048 00000000 00000014 00000000 00000000 "
    "0000ffff 0a010101 00000000 00010014 00000000 00000000 0000ffff 0a010102 00000000 00020008 03e80000 "
    "00030008 00190000 00020008 00150000",
    6: "05040068 00000002 00002320 00000020 06000000 00000000 00000048 00000000 00000014 20010db8 00000000 "
    "00000000 00000001 00000000 00010014 20010db8 00000000 00000000 00000002 00000000 00020008 03e80000 "
    "00030008 00190000 00020008 00150000",
}
_ENDS = {4: ("10.1.1.1", "10.1.1.2"), 6: ("2001:db8::1", "2001:db8::2")}


def connection(version: int) -> Connection:
    source, destination = map(ip_address, _ENDS[version])
    return Connection(21, source, 1000, destination, 25, 0x02BB00000001, 0x02CC00000001)


@pytest.mark.parametrize("version", [4, 6])
def test_a_connection_is_forgotten_by_the_message_that_ovs_ofctl_sends(version: int) -> None:
    assert forget(2, connection(version)) == bytes.fromhex(_SENT[version])


@pytest.mark.parametrize(("version", "layer"), [(4, ipv4.ipv4), (6, ipv6.ipv6)])
def test_the_initiator_is_spoken_to_under_the_servers_address(version: int, layer: type) -> None:
    frame = packet.Packet(wake_up_frame(connection(version), 0x025000000001))
    ends = frame.get_protocol(ethernet.ethernet)
    assert (ends.src, ends.dst) == ("02:50:00:00:00:01", "02:bb:00:00:00:01")
    head, segment = frame.get_protocol(layer), frame.get_protocol(tcp.tcp)
    assert (head.src, head.dst) == tuple(reversed(_ENDS[version]))
    assert (segment.src_port, segment.dst_port, segment.bits) == (25, 1000, tcp.TCP_ACK)
