"""The fields that flows may match or write, by their names in ovs-fields(7)."""

from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One match field: its name in ovs-fields(7) and its width in bits. Each exists once, in this module."""

    name: str
    bits: int
    shown_as: str = "number"  # number | hex | mac | ipv4 | ipv6
    size_bytes: int = field(init=False)
    full_mask: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size_bytes", (self.bits + 7) // 8)
        object.__setattr__(self, "full_mask", (1 << self.bits) - 1)

    def __reduce__(self) -> tuple[object, ...]:
        """What travels to another process is the same field there."""
        return _field, (self.name, self.bits)


@cache
def _field(name: str, bits: int) -> Field:
    fields = (each for each in globals().values() if isinstance(each, Field))
    return next(each for each in fields if (each.name, each.bits) == (name, bits))


IN_PORT = Field("in_port", 32)
CAME_BY = Field("in_port", 16)  # the same, in the only form that a flow may write (ovs-fields(7))
ETH_DST = Field("eth_dst", 48, "mac")
ETH_SRC = Field("eth_src", 48, "mac")
VLAN = Field("vlan_vid", 16, "hex")
ETH_TYPE = Field("eth_type", 16, "hex")
IP_PROTO = Field("ip_proto", 8)
IP_FRAG = Field("ip_frag", 2)  # of a byte
IPV4_SRC = Field("ip_src", 32, "ipv4")
IPV4_DST = Field("ip_dst", 32, "ipv4")
TCP_SRC = Field("tcp_src", 16)
TCP_DST = Field("tcp_dst", 16)
UDP_SRC = Field("udp_src", 16)
UDP_DST = Field("udp_dst", 16)
ARP_OP = Field("arp_op", 16)
ARP_SPA = Field("arp_spa", 32, "ipv4")
ARP_TPA = Field("arp_tpa", 32, "ipv4")
ARP_SHA = Field("arp_sha", 48, "mac")
ARP_THA = Field("arp_tha", 48, "mac")
IPV6_SRC = Field("ipv6_src", 128, "ipv6")
IPV6_DST = Field("ipv6_dst", 128, "ipv6")
ICMP_TYPE = Field("icmp_type", 8)
ICMP_CODE = Field("icmp_code", 8)
ICMPV6_TYPE = Field("icmpv6_type", 8)
ND_TARGET = Field("nd_target", 128, "ipv6")
ND_TLL = Field("nd_tll", 48, "mac")
ND_RESERVED = Field("nd_reserved", 32, "hex")
ND_OPTIONS_TYPE = Field("nd_options_type", 8)
ROLE = Field("reg0", 32)
PARTY = Field("reg1", 32, "hex")
ZONE = Field("reg2", 32)
POOL = Field("reg3", 32, "hex")
TREATMENT = Field("reg4", 32)
CT_STATE = Field("ct_state", 32, "hex")
CT_LABEL = Field("ct_label", 128, "hex")
CT_PROTO = Field("ct_nw_proto", 8)
CT_TP_DST = Field("ct_tp_dst", 16)

REGISTER_MEANINGS = {
    ROLE: "role of the neighbour that sent the packet (see roles)",
    PARTY: "number of the tenant or pool that the neighbour belongs to",
    ZONE: "the leg of the connection (see zones)",
    POOL: "number of the pool that answers, if it has affinity",
    TREATMENT: "the treatment of the source's new connections by a decision (1: decoy)",
}


class EthType(IntEnum):
    IPV4 = 0x0800
    ARP = 0x0806
    LLDP = 0x88CC
    IPV6 = 0x86DD


class IpProto(IntEnum):
    ICMP = 1
    TCP = 6
    UDP = 17
    ICMPV6 = 58


class CtState(IntEnum):
    """Bits of ct_state (ovs-fields(7), Connection Tracking Fields)."""

    NEW = 0x01
    ESTABLISHED = 0x02
    RELATED = 0x04
    REPLY = 0x08
    INVALID = 0x10
    TRACKED = 0x20


class Role(IntEnum):
    """The role of the packet's sender, written by `admission`."""

    BACKBONE = 1
    TENANT = 2
    GATEWAY = 3  # a mail proxy, or a scanner host (which also runs the gateway in mode direct)
    RESPONDER = 4  # answers clients of tenants whose pool is empty; never opens a connection
    DECOY = 5  # answers in place of a tenant's hosts; never opens a connection
    ANTIVIRUS = 6  # gives signatures to intranets and scanners; never opens a connection


class Treatment(IntEnum):
    """What a decision does with a new connection, written by `suspicion`."""

    DECOY = 1


class Zone(IntEnum):
    """The legs of a connection: a conntrack zone for each, so the same 4-tuple may exist in several at once.

    There is not one zone per pool: a connection must still be found after its service
    has moved to another pool. Only clients of anti-virus servers have zones by tenant.
    """

    OUTSIDE = 1  # backbone (or another tenant) <-> the host that answers for the tenant
    RELAY = 2  # gateway, under the client's address <-> the tenant's mail server
    SCAN = 3  # mail proxy <-> scanner
    UPDATE = 4  # scanner <-> anti-virus server
    CLIENT = 5  # a tenant's client, whose address is translated <-> anti-virus server


VLAN_PRESENT = 0x1000  # bit of vlan_vid (OpenFlow 1.4, 7.2.3.7)

ROLE_MEANINGS = {
    Role.BACKBONE: "a router of the backbone, on an uplink",
    Role.TENANT: "a router that leads into a tenant's intranet",
    Role.GATEWAY: "a mail proxy, or a scanner host (which runs the gateway in mode `direct`)",
    Role.RESPONDER: "a host that answers mail for empty pools, and never opens a connection",
    Role.DECOY: "a host that answers in place of a tenant's, and never opens a connection",
    Role.ANTIVIRUS: "an anti-virus server, which never opens a connection",
}
ZONE_MEANINGS = {
    Zone.OUTSIDE: "the backbone or another tenant, and the host that answers for the tenant",
    Zone.RELAY: "a gateway, under the client's address, and the tenant's mail server",
    Zone.SCAN: "a mail proxy and a scanner, at the pool's virtual address",
    Zone.UPDATE: "a scanner and an anti-virus server, at the pool's virtual address",
    Zone.CLIENT: "a client in an intranet, translated to an address of its tenant, and an anti-virus server; "
    "a zone for each tenant",
}
# The label of a connection holds the MACs of its two ends, at these bit offsets.
LABEL_RESPONDER = 0
LABEL_INITIATOR = 48
MAC_BITS = 48
