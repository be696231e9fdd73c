"""Reports of a flow monitor, as Open vSwitch 3.1 has sent them, and as nobody should send them."""

import pytest

from controller.openflow.describe import describe
from controller.openflow.replies import BadMessage
from controller.openflow.updates import parse_updates
from controller.sync.outcomes import FlowsChanged
from controller.sync.state import WireFlow, WireGroup, WireKey, WireMeter

# Recorded from Open vSwitch 3.1.0, OpenFlow 1.4.
TAKEN_ALONG = bytes.fromhex(
    "003000020303000000000007000000000000000000000000000100040000000000040010000000000016000800000005"
)
EXPIRING = bytes.fromhex(
    "00380001030000000001000900000000000000000000000000010004000000000004001800000000"
    "00000010000000010000000000000000"
)
ABBREVIATED = bytes.fromhex("0008000480000055")
PAUSED, RESUMED = bytes.fromhex("0008000500000000"), bytes.fromhex("0008000600000000")


def test_an_added_flow_is_reported_whole() -> None:
    (update,) = parse_updates(EXPIRING).updates
    assert not update.was_removed
    assert (update.flow.key.table, update.flow.key.priority, update.flow.expires) == (3, 9, 1)
    assert describe(update.flow) == "visitor 9 anything -> port 1 (for 1 s)"


def test_a_flow_that_went_with_its_group_says_so() -> None:
    (update,) = parse_updates(TAKEN_ALONG).updates
    assert update.was_removed
    assert update.took_along
    assert describe(update.flow) == "visitor 7 anything -> to group 5"


def test_abbreviations_of_our_own_changes_are_no_changes_by_others() -> None:
    assert parse_updates(ABBREVIATED + TAKEN_ALONG + ABBREVIATED) == parse_updates(TAKEN_ALONG)


def test_a_pause_and_its_end_are_told_from_changes() -> None:
    assert parse_updates(PAUSED) == FlowsChanged((), was_paused=True)
    assert parse_updates(RESUMED) == FlowsChanged((), was_resumed=True)
    assert len(parse_updates(TAKEN_ALONG + PAUSED).updates) == 1


@pytest.mark.parametrize(
    "body",
    [
        TAKEN_ALONG[:-1],
        TAKEN_ALONG[:7],
        b"\0\0" + TAKEN_ALONG[2:],  # an entry of no length would never end
        b"\0\x31" + TAKEN_ALONG[2:] + b"\0",
        TAKEN_ALONG[:26] + b"\xff\xff" + TAKEN_ALONG[28:],  # a match longer than all
        TAKEN_ALONG[:26] + b"\0\x03" + TAKEN_ALONG[28:],  # a match shorter than its own head
        bytes.fromhex("0008000700000000"),  # an event that does not exist
        bytes.fromhex("0008000100000000"),  # too short for a flow
    ],
)
def test_a_report_that_is_not_valid_is_a_bad_message(body: bytes) -> None:
    with pytest.raises(BadMessage):
        parse_updates(body)


def flow(instructions: str, fields: str = "", table: int = 0) -> WireFlow:
    wire = bytes.fromhex(fields)
    return WireFlow(WireKey(table, 5, wire), 0, bytes.fromhex(instructions), wire)


NORMAL = "00000010fffffffa0000000000000000"


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (flow(""), "admission 5 anything -> drop"),
        (flow("0004001800000000" + NORMAL), "admission 5 anything -> NORMAL"),
        (flow("0004001800000000" + NORMAL, table=200), "table 200 5 anything -> NORMAL"),
        (
            flow("", "80000a020800" + "80001604c6336400" + "80001908cb007100ffffff00"),
            "admission 5 eth_type=0x800 ip_src=198.51.100.0 ip_dst=203.0.113.0/24 -> drop",
        ),
        (flow("", "80003e02abcd"), "admission 5 field 0x8000:31=abcd -> drop"),
        (flow("0009000800000000"), "admission 5 anything -> instruction 9"),
        (flow("0003001800000000" + NORMAL), "admission 5 anything -> at the end NORMAL"),
        (flow("00040010000000000016000400000005"), "admission 5 anything -> unreadable"),
        (flow("0004"), "admission 5 anything -> unreadable"),
        (flow("0001000807000000"), "admission 5 anything -> goto resume"),
        (WireGroup(5, 1, bytes.fromhex("00100003ffffffffffffffff00000000")), "group 5 (select): 3 x (drop)"),
        (WireGroup(5, 9, b"\0\1"), "group 5 (kind 9): unreadable"),
        (WireMeter(4, bytes.fromhex("000e") + bytes.fromhex("0001001000000007000000070000")), None),
        (WireMeter(4, b""), "meter 4: no bands"),
    ],
)
def test_what_a_switch_holds_has_words_whatever_it_is(
    thing: WireFlow | WireGroup | WireMeter, words: str | None
) -> None:
    assert describe(thing) == (words or "meter 4: 7 packets per second")


def test_words_for_a_flow_with_very_many_actions_are_bounded() -> None:
    many = bytes.fromhex(NORMAL) * 1_000
    head = bytes.fromhex("0004") + (8 + len(many)).to_bytes(2) + bytes(4)
    assert len(describe(WireFlow(WireKey(0, 1, b""), 0, head + many, b""))) <= 300
