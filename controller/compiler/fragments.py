"""Fragments of IP packets: how tables match them.

In the flow tables, a fragment has no ports, not even the first one (OpenFlow 1.4, A.3.2; Open vSwitch's
frags mode `normal`). `ct` holds fragments until they are a whole packet, looks that up, and lets the
fragments go on one by one. From then on, each fragment knows its connection and the protocol of the
packet, and the first one knows the port, too (ovs-fields(7), ct_tp_dst).
"""

from controller.pipeline import fields as f
from controller.pipeline.fields import CtState, Field

Criteria = tuple[tuple[Field, int] | tuple[Field, int, int], ...]

# Bit 0: a fragment; bit 1: not the first one (ovs-fields(7), ip_frag).
IS_FRAGMENT = (f.IP_FRAG, 1, 1)
_IS_FIRST = (f.IP_FRAG, 1)
_IS_LATER = (f.IP_FRAG, 3)
# Also without `trk`: fragments that were never a whole packet have not been looked up.
IS_BROKEN = (f.CT_STATE, CtState.INVALID, CtState.INVALID)
_BEGINS = CtState.TRACKED | CtState.NEW


def new_fragments(protocol: int) -> Criteria:
    """Match all fragments of a packet that begins a connection."""
    return IS_FRAGMENT, (f.CT_STATE, _BEGINS, _BEGINS), (f.CT_PROTO, protocol)


def new_first_fragment(protocol: int, port: int = 0) -> Criteria:
    """Match the first fragment of a packet that begins a connection; `port` 0: to any port."""
    to_port = ((f.CT_TP_DST, port),) if port else ()
    return _IS_FIRST, *new_fragments(protocol)[1:], *to_port


def new_later_fragments(protocol: int) -> Criteria:
    """Match the other fragments of a packet that begins a connection."""
    return _IS_LATER, *new_fragments(protocol)[1:]
