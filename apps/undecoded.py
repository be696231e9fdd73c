"""Keeps the framework from decoding what only `controller.openflow` reads: flows, groups, meters
and their changes, and tables.

The framework makes objects of every flow that a switch reports, about 100 microseconds each, and nothing
reads them: the runtime takes the message's bytes.
"""

from typing import Any

from ryu.ofproto import ofproto_v1_4_parser as parser
from ryu.ofproto.ofproto_parser import MsgBase

REPLIES = (
    parser.OFPFlowStatsReply,
    parser.OFPFlowMonitorReply,  # decoded, a foreign action that it does not know would lose the whole report
    parser.OFPGroupDescStatsReply,
    parser.OFPMeterConfigStatsReply,
    parser.OFPTableDescStatsReply,
)


class UndecodedBody:
    """The rest of a multipart reply, in the place of its first entry; `length` ends the framework's loop."""

    def __init__(self, length: int) -> None:
        self.length = length

    @classmethod
    def parser(cls, buffer: Any, offset: int) -> "UndecodedBody":
        return cls(len(buffer) - offset)


def leave_undecoded() -> None:
    """Take effect for all switches; the framework still checks each message's header."""
    for reply in REPLIES:
        reply.cls_stats_body_cls = UndecodedBody
    forward = parser.OFPRequestForward
    parser._MSG_PARSERS[forward.cls_msg_type] = MsgBase.parser.__func__.__get__(forward)
