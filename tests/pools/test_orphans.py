"""Which sessions end with a member that is gone, and who is told."""

from dataclasses import replace
from ipaddress import ip_address

from controller.pipeline.fields import Zone
from controller.pipeline.zones import leg_number
from controller.pools.conntrack import Connection, read_connections
from controller.pools.orphans import MOST_PER_CUT, cut, lost

CLIENT, GATEWAY, DEAD, ALIVE = 0x02BB00000001, 0x02AA00000001, 0x02CC00000001, 0x02CC00000002
OUTSIDE = Connection(
    11, ip_address("198.51.100.10"), 4000, ip_address("203.0.113.10"), 25, initiator=CLIENT, responder=DEAD
)
RELAY = replace(OUTSIDE, zone=12, initiator=DEAD, responder=GATEWAY)
SCAN = replace(OUTSIDE, zone=13, initiator=DEAD, responder=0x02DD00000001)


def test_a_client_of_a_dead_proxy_is_told() -> None:
    found = cut([OUTSIDE], frozenset({DEAD}))
    assert (found.forgotten, found.told) == ((OUTSIDE,), (OUTSIDE,))


def test_the_tenants_server_is_never_told() -> None:
    found = cut([RELAY], frozenset({DEAD}))
    assert (found.forgotten, found.told) == ((RELAY,), ())


def test_a_scan_ends_with_either_end_and_the_proxy_is_told_when_the_scanner_dies() -> None:
    asked = replace(SCAN, initiator=ALIVE, responder=DEAD)
    found = cut([SCAN, asked], frozenset({DEAD}))
    assert (found.forgotten, found.told) == ((SCAN, asked), (asked,))


def test_the_agent_of_a_dead_scanner_is_told_that_its_wait_for_signatures_is_over() -> None:
    waiting = replace(OUTSIDE, zone=14, initiator=DEAD, responder=ALIVE)
    assert leg_number(waiting.zone) == Zone.UPDATE
    found = cut([waiting, replace(waiting, is_open=False)], frozenset({DEAD}))
    assert len(found.forgotten) == 2 and found.told == (waiting,)


def test_sessions_of_living_members_stay() -> None:
    assert cut([replace(OUTSIDE, responder=ALIVE)], frozenset({DEAD})).forgotten == ()


def test_a_session_that_has_ended_by_itself_is_forgotten_and_nobody_is_told() -> None:
    ended = replace(OUTSIDE, is_open=False)
    found = cut([ended], frozenset({DEAD}))
    assert (found.forgotten, found.told) == ((ended,), ())


def test_a_connection_outside_that_a_dead_member_began_is_not_ours_to_judge() -> None:
    assert cut([replace(OUTSIDE, initiator=DEAD, responder=ALIVE)], frozenset({DEAD})).forgotten == ()


def test_one_cut_is_bounded() -> None:
    many = [replace(OUTSIDE, source_port=number) for number in range(MOST_PER_CUT + 5)]
    assert len(cut(many, frozenset({DEAD})).forgotten) == MOST_PER_CUT


def test_a_line_of_the_switch_is_read_in_the_direction_in_which_the_connection_was_begun() -> None:
    line = (
        "tcp,orig=(src=2001:db8:bb::66,dst=2001:db8:b::10,sport=42036,dport=25),"
        "reply=(src=2001:db8:b::10,dst=2001:db8:bb::66,sport=25,dport=42036),"
        "zone=41,labels=0x2bb0000000202dd00000002,protoinfo=(state_orig=SYN_SENT,state_reply=CLOSED,"
        "flags_orig=0,flags_reply=0)"
    )
    assert list(read_connections([line, "udp,orig=()", "rubbish", ""])) == [
        Connection(
            41,
            ip_address("2001:db8:bb::66"),
            42036,
            ip_address("2001:db8:b::10"),
            25,
            0x02BB00000002,
            0x02DD00000002,
            is_answered=False,
            is_established=False,
        )
    ]


def test_a_switch_that_was_started_anew_has_lost_every_leg_of_a_session() -> None:
    assert lost(1, [OUTSIDE, RELAY, SCAN], []) == (OUTSIDE, RELAY, SCAN)


def test_a_session_that_goes_on_by_itself_is_not_lost() -> None:
    assert lost(1, [OUTSIDE, RELAY], [replace(RELAY, responder=ALIVE)]) == (OUTSIDE,)


def test_what_had_ended_and_what_is_on_another_switch_is_not_lost() -> None:
    elsewhere, ended = replace(OUTSIDE, zone=21), replace(OUTSIDE, is_open=False)
    assert lost(1, [elsewhere, ended], []) == ()
    assert lost(2, [elsewhere, ended], []) == (elsewhere,)
