"""Our bytes beside those that Ryu 4.34 makes of the same message."""

from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest
from ryu.ofproto import ofproto_v1_4, ofproto_v1_4_parser
from ryu.ofproto.ofproto_protocol import ProtocolDesc

from controller.openflow import messages
from controller.openflow.actions import encode_action, encode_actions, encode_instructions
from controller.openflow.encode import encode_commit, encode_discard
from controller.openflow.messages import BundleControl, GroupCommand
from controller.openflow.oxm import canonical, encode_fields
from controller.openflow.replies import parse_flows, parse_groups, parse_multipart, parse_ports
from controller.pipeline import fields as f
from controller.pipeline.fields import EthType, IpProto, Zone
from controller.pipeline.flows import (
    Bucket,
    CommitConnection,
    DecTtl,
    FlowAction,
    Group,
    LookUpConnection,
    Match,
    Move,
    Output,
    PopTag,
    PushTag,
    Resubmit,
    SetField,
    ToGroup,
    match,
)
from controller.pipeline.tables import Table
from controller.sync.outcomes import Fragments, PortConfig, TableConfig
from controller.sync.plan import Plan
from controller.sync.state import WireFlow, WireGroup, WireKey
from tests.fake_switch import HeldFlow, encode_flow_stats, encode_port

OFP, RYU = ofproto_v1_4, ofproto_v1_4_parser
XID = 0x8000_0007
MAC = 0x02_CC_00_00_00_01
DATAPATH = ProtocolDesc(OFP.OFP_VERSION)
MATCHES = [
    (match((f.IN_PORT, 4), (f.ETH_SRC, MAC)), {"in_port": 4, "eth_src": "02:cc:00:00:00:01"}),
    (
        match((f.ETH_TYPE, EthType.IPV4), (f.IPV4_DST, 0xCB007100, 0xFFFFFFC0)),
        {"eth_type": 0x0800, "ipv4_dst": ("203.0.113.0", "255.255.255.192")},
    ),
    (
        match((f.ETH_TYPE, EthType.IPV6), (f.IPV6_SRC, 0x20010DB8 << 96, ((1 << 32) - 1) << 96)),
        {"eth_type": 0x86DD, "ipv6_src": ("2001:db8::", "ffff:ffff::")},
    ),
    (
        match((f.ETH_TYPE, EthType.IPV4), (f.IP_PROTO, IpProto.TCP), (f.TCP_DST, 25)),
        {"eth_type": 0x0800, "ip_proto": 6, "tcp_dst": 25},
    ),
    (
        match((f.ETH_TYPE, EthType.ARP), (f.ARP_OP, 1), (f.ARP_TPA, 0x64400001)),
        {"eth_type": 0x0806, "arp_op": 1, "arp_tpa": "100.64.0.1"},
    ),
    (match((f.ROLE, 3), (f.PARTY, 0xDEADBEEF), (f.ZONE, 2)), {"reg0": 3, "reg1": 0xDEADBEEF, "reg2": 2}),
    (
        match((f.ETH_TYPE, EthType.IPV4), (f.CT_STATE, 0x28, 0x28)),
        {"eth_type": 0x0800, "ct_state": (0x28, 0x28)},
    ),
]


def serialized(message: object) -> bytes:
    message.set_xid(XID)  # type: ignore[attr-defined]
    message.serialize()  # type: ignore[attr-defined]
    return bytes(message.buf)  # type: ignore[attr-defined]


def ryu_match(keywords: dict[str, object]) -> bytes:
    """Return the OXM list of Ryu's match, in canonical order."""
    buffer = bytearray()
    RYU.OFPMatch(**keywords).serialize(buffer, 0)
    without_padding = int.from_bytes(buffer[2:4])
    return canonical(bytes(buffer[4:without_padding]))


def ryu_action(action: object) -> bytes:
    buffer = bytearray()
    action.serialize(buffer, 0)  # type: ignore[attr-defined]
    return bytes(buffer)


@pytest.mark.parametrize(
    ("ours", "keywords"), MATCHES, ids=lambda value: "-".join(value) if isinstance(value, dict) else ""
)
def test_a_match_is_the_bytes_that_ryu_makes(ours: Match, keywords: dict[str, object]) -> None:
    assert canonical(encode_fields(ours)) == ryu_match(keywords)


def _translating(nat: object) -> object:
    return RYU.NXActionCT(
        flags=1, zone_src="", zone_ofs_nbits=40_000, recirc_table=0xFF, alg=0, actions=[nat]
    )


ACTIONS: list[tuple[FlowAction, object]] = [
    (SetField(f.ETH_DST, MAC), RYU.OFPActionSetField(eth_dst="02:cc:00:00:00:01")),
    (SetField(f.ROLE, 3), RYU.OFPActionSetField(reg0=3)),
    (SetField(f.IPV6_SRC, 1), RYU.OFPActionSetField(ipv6_src="::1")),
    (Output(7), RYU.OFPActionOutput(7, 0)),
    (ToGroup(99), RYU.OFPActionGroup(99)),
    (DecTtl(), RYU.OFPActionDecNwTtl()),
    (
        Resubmit(Table.COMMIT),
        RYU.NXActionResubmitTable(in_port=OFP.OFPP_IN_PORT & 0xFFFF, table_id=Table.COMMIT),
    ),
    (
        Move(f.CT_LABEL, f.ETH_DST, 48, source_offset=48),
        RYU.NXActionRegMove(src_field="ct_label", dst_field="eth_dst_nxm", n_bits=48, src_ofs=48, dst_ofs=0),
    ),
    (
        LookUpConnection(Zone.RELAY, Table.RESUME),
        RYU.NXActionCT(flags=0, zone_src="", zone_ofs_nbits=2, recirc_table=Table.RESUME, alg=0, actions=[]),
    ),
    (
        LookUpConnection(40_000, Table.RESUME, translates=True),
        RYU.NXActionCT(
            flags=0,
            zone_src="",
            zone_ofs_nbits=40_000,
            recirc_table=Table.RESUME,
            alg=0,
            actions=[RYU.NXActionNAT(0)],
        ),
    ),
    # Ryu leaves out the padding after an IPv4 address: tests/ovs shows that a switch takes ours.
    (
        CommitConnection(40_000, (), ip_address("2001:db8:e::201")),
        _translating(RYU.NXActionNAT(1, range_ipv6_min="2001:db8:e::201")),
    ),
    (PushTag(), RYU.OFPActionPushVlan(0x8100)),
    (PopTag(), RYU.OFPActionPopVlan()),
    (SetField(f.VLAN, 0x1005), RYU.OFPActionSetField(vlan_vid=0x1005)),
    (
        CommitConnection(21, (Move(f.ETH_DST, f.CT_LABEL, 48),)),
        RYU.NXActionCT(
            flags=1,
            zone_src="",
            zone_ofs_nbits=21,
            recirc_table=0xFF,
            alg=0,
            actions=[
                RYU.NXActionRegMove(
                    src_field="eth_dst_nxm", dst_field="ct_label", n_bits=48, src_ofs=0, dst_ofs=0
                )
            ],
        ),
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), ACTIONS, ids=lambda value: type(value).__name__)
def test_an_action_is_the_bytes_that_ryu_makes(ours: FlowAction, theirs: object) -> None:
    assert encode_action(ours) == ryu_action(theirs)


def wire_flow(wanted: Match, *actions: FlowAction, goto: Table | None = None) -> WireFlow:
    fields = encode_fields(wanted)
    instructions = encode_instructions(actions, goto)
    return WireFlow(WireKey(7, 20_000, canonical(fields)), 0x9057_0000_0000_0001, instructions, fields)


SMTP = match((f.ETH_TYPE, EthType.IPV4), (f.IP_PROTO, IpProto.TCP), (f.TCP_DST, 25))


def ryu_flow_mod(command: int, cookie: int, instructions: list[object]) -> object:
    return RYU.OFPFlowMod(
        DATAPATH, cookie=cookie, table_id=7, command=command, priority=20_000,
        out_port=OFP.OFPP_ANY, out_group=OFP.OFPG_ANY,
        match=RYU.OFPMatch(eth_type=0x0800, ip_proto=6, tcp_dst=25), instructions=instructions,
    )  # fmt: skip


def test_an_added_flow_is_the_message_that_ryu_makes() -> None:
    apply = RYU.OFPInstructionActions(OFP.OFPIT_APPLY_ACTIONS, [RYU.OFPActionSetField(reg0=3)])
    theirs = ryu_flow_mod(OFP.OFPFC_ADD, 0x9057_0000_0000_0001, [apply, RYU.OFPInstructionGotoTable(9)])
    ours = wire_flow(SMTP, SetField(f.ROLE, 3), goto=Table(9))
    assert messages.add_flow(XID, ours) == serialized(theirs)


def test_a_flow_that_drops_is_the_message_that_ryu_makes() -> None:
    theirs = ryu_flow_mod(OFP.OFPFC_ADD, 0x9057_0000_0000_0001, [])
    assert messages.add_flow(XID, wire_flow(SMTP)) == serialized(theirs)


def test_a_deleted_flow_is_the_message_that_ryu_makes() -> None:
    theirs = ryu_flow_mod(OFP.OFPFC_DELETE_STRICT, 0, [])
    assert messages.delete_flow(XID, wire_flow(SMTP, Output(3))) == serialized(theirs)


BUCKETS = (
    Bucket(3, (SetField(f.ETH_DST, MAC), Resubmit(Table.COMMIT)), watch_port=4),
    Bucket(1, (SetField(f.ETH_DST, MAC + 1), Resubmit(Table.COMMIT))),
)


@pytest.mark.parametrize("command", [GroupCommand.ADD, GroupCommand.MODIFY])
def test_a_group_is_the_message_that_ryu_makes(command: GroupCommand) -> None:
    def bucket(weight: int, mac: str, watched: int) -> object:
        resubmit = RYU.NXActionResubmitTable(in_port=0xFFF8, table_id=Table.COMMIT)
        return RYU.OFPBucket(
            weight, watched, OFP.OFPG_ANY, actions=[RYU.OFPActionSetField(eth_dst=mac), resubmit]
        )

    theirs = RYU.OFPGroupMod(
        DATAPATH, int(command), OFP.OFPGT_SELECT, 99,
        [bucket(3, "02:cc:00:00:00:01", 4), bucket(1, "02:cc:00:00:00:02", OFP.OFPP_ANY)],
    )  # fmt: skip
    group = WireGroup(99, OFP.OFPGT_SELECT, messages.encode_buckets(Group(99, BUCKETS, "pools.proxies")))
    assert messages.put_group(XID, command, group) == serialized(theirs)


def test_a_deleted_group_is_the_message_that_ryu_makes() -> None:
    theirs = RYU.OFPGroupMod(DATAPATH, OFP.OFPGC_DELETE, OFP.OFPGT_SELECT, 99, [])
    assert messages.delete_group(XID, 99) == serialized(theirs)


@pytest.mark.parametrize("control", [BundleControl.OPEN_REQUEST, BundleControl.COMMIT_REQUEST])
def test_bundle_control_is_the_message_that_ryu_makes(control: BundleControl) -> None:
    flags = OFP.OFPBF_ATOMIC | OFP.OFPBF_ORDERED
    theirs = RYU.OFPBundleCtrlMsg(DATAPATH, 5, int(control), flags, [])
    assert messages.bundle_control(XID, 5, control) == serialized(theirs)


def test_a_commit_ends_with_a_barrier_and_a_discard_does_not() -> None:
    barrier = serialized(RYU.OFPBarrierRequest(DATAPATH))
    assert encode_commit(XID, 5, Plan())[-1] == barrier
    assert barrier not in encode_discard(XID, 5)


def test_requests_are_the_messages_that_ryu_makes() -> None:
    flows = RYU.OFPFlowStatsRequest(
        DATAPATH, 0, OFP.OFPTT_ALL, OFP.OFPP_ANY, OFP.OFPG_ANY, 0, 0, RYU.OFPMatch()
    )
    assert messages.request_flows(XID) == serialized(flows)
    assert messages.request_groups(XID) == serialized(RYU.OFPGroupDescStatsRequest(DATAPATH, 0))
    assert messages.request_ports(XID) == serialized(RYU.OFPPortDescStatsRequest(DATAPATH, 0))
    assert messages.request_config(XID) == serialized(RYU.OFPGetConfigRequest(DATAPATH))
    assert messages.request_tables(XID) == serialized(RYU.OFPTableDescStatsRequest(DATAPATH, 0))


def test_settings_are_the_messages_that_ryu_makes() -> None:
    fragments = RYU.OFPSetConfig(DATAPATH, OFP.OFPC_FRAG_NORMAL, 128)
    assert messages.set_config(XID, Fragments.NORMAL, 128) == serialized(fragments)
    port = RYU.OFPPortMod(DATAPATH, 4, "02:70:00:00:00:04", 0, OFP.OFPPC_NO_FWD, [])
    mac = bytes.fromhex("027000000004")
    assert messages.set_port(XID, 4, mac, 0, PortConfig.NO_FORWARD) == serialized(port)
    assert messages.set_table(XID, 3, 0) == serialized(RYU.OFPTableMod(DATAPATH, 3, 0, []))


def test_bits_of_settings_are_those_of_the_specification() -> None:
    assert set(PortConfig) == {
        OFP.OFPPC_PORT_DOWN, OFP.OFPPC_NO_RECV, OFP.OFPPC_NO_FWD, OFP.OFPPC_NO_PACKET_IN
    }  # fmt: skip
    assert set(TableConfig) == {OFP.OFPTC_EVICTION, OFP.OFPTC_VACANCY_EVENTS}


def test_a_message_too_long_for_openflow_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ValueError, match="has at most 65535 bytes, but this one has 65536"):
        messages.message(messages.Type.BARRIER_REQUEST, XID, bytes(65_528))


def test_every_action_fills_a_multiple_of_eight_bytes() -> None:
    assert all(len(encode_action(action)) % 8 == 0 for action, _ in ACTIONS)
    assert encode_actions((DecTtl(), Output(1))) == encode_action(DecTtl()) + encode_action(Output(1))


def parsed_by_ryu(buffer: bytes) -> Any:
    head = SimpleNamespace(version=buffer[0], type=buffer[1], length=len(buffer), xid=XID)
    parser = RYU.OFPMultipartReply
    return parser.parser(DATAPATH, head.version, head.type, head.length, head.xid, bytearray(buffer))


def test_flows_read_back_are_what_ryu_reads_in_the_same_reply() -> None:
    flow = wire_flow(SMTP, SetField(f.ROLE, 3), goto=Table.ROUTE)
    entry = encode_flow_stats(
        (7, 20_000, flow.key.fields), HeldFlow(flow.cookie, flow.wire_fields, flow.instructions)
    )
    buffer = messages.message(messages.Type.MULTIPART_REPLY, XID, bytes.fromhex("0001000000000000") + entry)
    (theirs,) = parsed_by_ryu(buffer).body
    (ours,) = parse_flows(parse_multipart(buffer).body)
    assert (ours.table, ours.priority, ours.cookie) == (theirs.table_id, theirs.priority, theirs.cookie)
    assert ours.instructions == flow.instructions
    assert ours.fields == flow.key.fields


def test_groups_read_back_are_what_ryu_reads_in_the_same_reply() -> None:
    buckets = messages.encode_buckets(Group(99, BUCKETS, "pools.proxies"))
    entry = (8 + len(buckets)).to_bytes(2) + bytes([1, 0]) + (99).to_bytes(4) + buckets
    buffer = messages.message(messages.Type.MULTIPART_REPLY, XID, bytes.fromhex("0007000000000000") + entry)
    (theirs,) = parsed_by_ryu(buffer).body
    (ours,) = parse_groups(parse_multipart(buffer).body)
    assert (ours.group_id, ours.kind) == (theirs.group_id, theirs.type)
    assert ours.buckets == buckets
    assert [bucket.weight for bucket in theirs.buckets] == [3, 1]


@pytest.mark.parametrize("is_down", [False, True])
def test_ports_read_back_are_what_ryu_reads_in_the_same_reply(is_down: bool) -> None:
    body = encode_port(4, is_down)
    buffer = messages.message(messages.Type.MULTIPART_REPLY, XID, bytes.fromhex("000d000000000000") + body)
    (theirs,) = parsed_by_ryu(buffer).body
    (ours,) = parse_ports(parse_multipart(buffer).body)
    assert (ours.number, ours.mac, ours.name.encode()) == (theirs.port_no, theirs.hw_addr, theirs.name)
    assert ours.is_down is is_down
