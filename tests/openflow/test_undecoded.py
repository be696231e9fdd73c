"""What the framework does with replies that only our own decoder reads."""

from types import SimpleNamespace

import pytest
from ryu.ofproto import ofproto_v1_4, ofproto_v1_4_parser

from apps.undecoded import REPLIES, UndecodedBody, leave_undecoded
from controller.openflow import messages
from controller.openflow.conversation import Conversation
from tests.world import World

DATAPATH = SimpleNamespace(ofproto=ofproto_v1_4, ofproto_parser=ofproto_v1_4_parser)


@pytest.fixture(autouse=True)
def _undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the framework does is restored: other tests compare with its decoding."""
    for reply in REPLIES:
        monkeypatch.setattr(reply, "cls_stats_body_cls", reply.cls_stats_body_cls)
    leave_undecoded()


@pytest.fixture
def replies() -> list[bytes]:
    """What a switch that carries out the demo's policy replies to our requests."""
    world = World()
    world.start()
    channel = world.connect()
    world.settle(channel)
    return [reply for each in Conversation().ask_state(1) for reply in channel.switch.receive(each)]


def test_flows_groups_and_meters_are_left_as_bytes(replies: list[bytes]) -> None:
    kinds = set()
    for reply in replies:
        _, kind, length, xid = reply[0], reply[1], len(reply), 1
        assert kind == messages.Type.MULTIPART_REPLY
        message = ofproto_v1_4_parser.OFPMultipartReply.parser(DATAPATH, 5, kind, length, xid, reply)
        assert bytes(message.buf) == reply
        if message.type != ofproto_v1_4.OFPMP_PORT_DESC:
            assert len(message.body) <= 1
            assert all(isinstance(each, UndecodedBody) for each in message.body)
        kinds.add(message.type)
    assert {ofproto_v1_4.OFPMP_FLOW, ofproto_v1_4.OFPMP_GROUP_DESC, ofproto_v1_4.OFPMP_PORT_DESC} <= kinds


def test_ports_are_still_decoded_because_the_framework_needs_them(replies: list[bytes]) -> None:
    kind = ofproto_v1_4.OFPMP_PORT_DESC
    (ports,) = (each for each in replies if int.from_bytes(each[8:10]) == kind)
    message = ofproto_v1_4_parser.OFPMultipartReply.parser(DATAPATH, 5, ports[1], len(ports), 1, ports)
    assert [each.port_no for each in message.body][:2] == [1, 2]
