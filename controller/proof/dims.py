"""The dimensions of a set of packets. A set is a box: one bit mask of atoms for each dimension.

The last dimensions are ghosts: a switch does not know them. They say who sent the packet, how it relates to
the connection that it was found in, and who the two ends of that connection are.
"""

from typing import Final

SENDER: Final = 0  # ghost: the edge port by which the packet entered
IN_PORT: Final = 1
VLAN: Final = 2  # 13 bits: VLAN_PRESENT and the id
INNER_VLAN: Final = 3
ETH_SRC: Final = 4
ETH_DST: Final = 5
ETH_TYPE: Final = 6
IP_SRC: Final = 7
IP_DST: Final = 8
PROTO: Final = 9
SPORT: Final = 10
DPORT: Final = 11
ICMP_TYPE: Final = 12
ICMP_CODE: Final = 13
ND_TARGET: Final = 14
FRAGMENT: Final = 15
CT_STATE: Final = 16
CT_ZONE: Final = 17
CT_PROTO: Final = 18  # of the connection's first packet
CT_DPORT: Final = 19
LABEL_R: Final = 20  # bits 0..47 of ct_label
LABEL_I: Final = 21  # bits 48..95
ROLE: Final = 22
PARTY: Final = 23
LEG: Final = 24
POOL: Final = 25
TREATMENT: Final = 26
MODE: Final = 27  # ghost, see `modes`
RESPONDER: Final = 28  # ghost: MAC of the end in the label, which a packet keeps across trunks
INITIATOR: Final = 29  # ghost
MASKS: Final = 30  # number of masks

FLAGS: Final = 30  # which masks are equal, see below
TIES: Final = 31  # number of the ties that hold inside the box, see `ties`
SIZE: Final = 32

DST_IS_RESPONDER: Final = 1  # eth_dst was copied from the label
DST_IS_INITIATOR: Final = 2
LABEL_IS_ENDS: Final = 4  # ct_label still is that of the ghosts
STATE_IS_OF_MODE: Final = 8  # ct_state still is that of the last look-up
CT_IS_OWN: Final = 16  # ct_nw_proto and ct_tp_dst are the packet's own, as far as it shows them

NAMES: Final = (
    "sender", "in_port", "vlan", "inner vlan", "eth_src", "eth_dst", "eth_type", "ip_src", "ip_dst", "proto",
    "sport", "dport", "icmp_type", "icmp_code", "nd_target", "fragment", "ct_state", "ct_zone",
    "ct_nw_proto", "ct_tp_dst", "label_r", "label_i", "role", "party",
    "leg", "pool", "treatment", "mode", "responder", "initiator",
)  # fmt: skip

Box = tuple[int, ...]  # SIZE numbers: the masks, the flags, the number of the ties
