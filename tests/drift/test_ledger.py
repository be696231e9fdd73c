"""The ledger of differences: what is open, what has ended, and what the journal must say."""

import pytest

from controller.drift.ledger import (
    MINUTE_S,
    MOST_ENDED,
    MOST_KEPT,
    MOST_NOTES,
    DriftLedger,
    DriftNote,
    Ending,
    NoteKind,
    Observation,
)
from controller.drift.model import OF_BRIDGES, OF_SETTINGS, OF_TABLES, Difference, DriftChange, DriftKind


def foreign(number: int = 1, switch: str = "s1") -> Difference:
    key = f"flow {number}"
    return Difference(switch, DriftKind.FLOW, DriftChange.FOREIGN, key, f"foreign flow {number}", "", "")


MISSING = Difference(
    "s1", DriftKind.FLOW, DriftChange.MISSING, "flow 9", "", "port 25 to proxies", "tenants.a"
)
NO_CONTROLLER = Difference(
    "s1", DriftKind.CONTROLLER, DriftChange.MISSING, "controller", "", "tcp:127.0.0.1", "switches.s1"
)


MIRROR = Difference("s1", DriftKind.MIRROR, DriftChange.FOREIGN, "mirror", "tap", "", "")
FRAGMENTS = Difference("s1", DriftKind.SETTING, DriftChange.CHANGED, "fragments", "drop", "normal", "")


def spare_port(number: int) -> Difference:
    text = f"interface spy{number}"
    return Difference(
        "s1", DriftKind.PORT, DriftChange.FOREIGN, f"port {number}", text, "", "", may_be_meant=True
    )


def test_the_gravest_difference_comes_first() -> None:
    ledger = DriftLedger()
    ledger.observe(
        1.0,
        Observation(
            "s1",
            OF_TABLES,
            (
                MISSING,
                foreign(),
            ),
        ),
    )
    ledger.observe(1.0, Observation("s1", OF_BRIDGES, (NO_CONTROLLER,)))
    assert [each.difference for each in ledger.open_on("s1")] == [foreign(), NO_CONTROLLER, MISSING]


def test_a_difference_that_is_seen_again_keeps_its_beginning_and_gets_no_second_note() -> None:
    ledger = DriftLedger()
    ledger.observe(1.0, Observation("s1", OF_TABLES, (foreign(),)))
    ledger.observe(2.0, Observation("s1", OF_TABLES, (foreign(),)))
    (record,) = ledger.open_on("s1")
    assert (record.first_seen, record.last_seen, record.times) == (1.0, 2.0, 1)
    assert ledger.take_notes(2.0) == (DriftNote("s1", NoteKind.FOUND, 1, foreign()),)


def test_a_difference_that_comes_back_after_its_repair_is_counted() -> None:
    ledger = DriftLedger()
    for utc in (1.0, 2.0, 3.0):
        ledger.observe(utc, Observation("s1", OF_TABLES, (foreign(),)))
        ledger.observe(utc + 0.5, Observation("s1", OF_TABLES, (), ending=Ending.REPAIRED))
    (record,) = ledger.ended_on("s1")
    assert (record.times, record.first_seen, record.ended_at) == (3, 1.0, 3.5)
    assert record.ending is Ending.REPAIRED
    assert ledger.open_on("s1") == ()


def test_what_one_observer_sees_does_not_end_what_another_one_has_found() -> None:
    ledger = DriftLedger()
    ledger.observe(1.0, Observation("s1", OF_BRIDGES, (NO_CONTROLLER,)))
    ledger.observe(2.0, Observation("s1", OF_TABLES, ()))
    assert [each.difference for each in ledger.open_on("s1")] == [NO_CONTROLLER]


def test_of_very_many_differences_some_are_kept_and_all_are_counted() -> None:
    ledger = DriftLedger()
    ledger.observe(1.0, Observation("s1", OF_TABLES, tuple(map(foreign, range(MOST_KEPT))), more=19_000))
    assert len(ledger.open_on("s1")) == MOST_KEPT
    assert ledger.count_open("s1") == MOST_KEPT + 19_000
    (note,) = ledger.take_notes(1.0)
    assert note.count == MOST_KEPT + 19_000
    ledger.observe(2.0, Observation("s1", OF_TABLES, (), ending=Ending.REPAIRED))
    (note,) = ledger.take_notes(2.0)
    assert note.count == MOST_KEPT + 19_000
    assert ledger.count_open("s1") == 0
    assert len(ledger.ended_on("s1")) == MOST_ENDED


def test_a_thousand_spare_ports_hide_no_flow_and_no_mirror() -> None:
    ledger = DriftLedger()
    ledger.observe(1.0, Observation("s1", OF_SETTINGS, tuple(map(spare_port, range(MOST_KEPT + 100)))))
    ledger.take_notes(1.0)
    ledger.observe(2.0, Observation("s1", OF_TABLES, (foreign(),)))
    ledger.observe(2.0, Observation("s1", OF_BRIDGES, (MIRROR,)))
    assert {foreign(), MIRROR} <= {each.difference for each in ledger.open_on("s1")}
    assert [note.worst for note in ledger.take_notes(2.0)] == [foreign(), MIRROR]
    assert ledger.count_open("s1") == MOST_KEPT + 102
    assert ledger.is_wrong("s1")


def test_of_too_many_differences_of_one_observer_the_gravest_are_kept() -> None:
    ledger = DriftLedger()
    ports = tuple(map(spare_port, range(MOST_KEPT)))
    ledger.observe(1.0, Observation("s1", OF_SETTINGS, (*ports, FRAGMENTS)))
    assert FRAGMENTS in [each.difference for each in ledger.open_on("s1")]
    assert ledger.count_open("s1") == MOST_KEPT + 1


def test_a_difference_that_was_only_counted_is_not_found_again_when_there_is_room_for_it() -> None:
    ledger = DriftLedger()
    ledger.observe(1.0, Observation("s1", OF_TABLES, tuple(map(foreign, range(MOST_KEPT))), more=10))
    ledger.take_notes(1.0)
    ledger.observe(2.0, Observation("s1", OF_TABLES, tuple(map(foreign, range(10, MOST_KEPT + 10)))))
    assert ledger.take_notes(2.0) == (DriftNote("s1", NoteKind.BY_ITSELF, 10, foreign(0)),)


def test_somebody_who_never_stops_gets_some_lines_per_minute_and_one_with_the_count() -> None:
    ledger = DriftLedger()
    notes: list[DriftNote] = []
    for second in range(59):
        ledger.observe(
            second,
            Observation(
                "s1",
                OF_TABLES,
                (
                    foreign(1),
                    foreign(2),
                ),
            ),
        )
        ledger.observe(second + 0.5, Observation("s1", OF_TABLES, (), ending=Ending.REPAIRED))
        notes += ledger.take_notes(second + 0.5)
    assert len(notes) == 2 * MOST_NOTES
    left_out = 2 * (59 - MOST_NOTES)
    assert ledger.take_notes(MINUTE_S + 1) == (
        DriftNote("s1", NoteKind.FOUND, left_out, foreign(1)),
        DriftNote("s1", NoteKind.REPAIRED, left_out, foreign(1)),
    )


def test_a_graver_difference_has_a_line_even_after_many_others_in_the_same_minute() -> None:
    ledger = DriftLedger()
    port = Difference("s1", DriftKind.PORT, DriftChange.FOREIGN, "port 9", "spare", "", "")
    for second in range(MOST_NOTES + 1):
        ledger.observe(second, Observation("s1", OF_TABLES, (port,)))
        ledger.observe(second, Observation("s1", OF_TABLES, ()))
    ledger.take_notes(MOST_NOTES)
    ledger.observe(20.0, Observation("s1", OF_TABLES, (foreign(1),)))
    assert ledger.take_notes(20.0) == (DriftNote("s1", NoteKind.FOUND, 1, foreign(1)),)


def test_repairs_are_counted_within_a_span() -> None:
    ledger = DriftLedger()
    for utc in (10.0, 20.0, 30.0):
        ledger.on_repaired(utc, "s1")
    assert ledger.repairs("s1", since=20.0) == 2
    assert ledger.repairs("s2", since=0.0) == 0


def test_a_switch_that_left_the_policy_is_forgotten() -> None:
    ledger = DriftLedger()
    ledger.observe(1.0, Observation("s1", OF_TABLES, (foreign(),)))
    ledger.forget(["s1"])
    assert list(ledger.switches) == []
    assert ledger.open_on("s1") == ()


def test_a_difference_says_what_is_there_and_what_should_be() -> None:
    changed = Difference(
        "s1", DriftKind.GROUP, DriftChange.CHANGED, "group 5", "to port 9", "to proxy1", "pools.a"
    )
    assert str(changed) == "changed group: to port 9, instead of to proxy1"
    assert str(foreign()) == "foreign flow: foreign flow 1"
    assert str(MISSING) == "missing flow: port 25 to proxies"


BY_OPENFLOW = Difference(
    "s1", DriftKind.PORT, DriftChange.MISSING, "port 4", "", "eth4 as port 4", "pools.a.members.b"
)
BY_DATABASE = Difference(
    "s1", DriftKind.PORT, DriftChange.CHANGED, "port 4", "eth4 is port 9", "port 4", "pools.a.members.b"
)


def seen_over_openflow(*found: Difference) -> Observation:
    return Observation("s1", OF_SETTINGS, found, yields=True)


@pytest.mark.parametrize("is_openflow_first", [True, False])
def test_what_two_observers_find_is_one_difference_in_the_words_of_the_more_precise_one(
    is_openflow_first: bool,
) -> None:
    ledger = DriftLedger()
    both = [seen_over_openflow(BY_OPENFLOW), Observation("s1", OF_BRIDGES, (BY_DATABASE,))]
    for seen in both if is_openflow_first else reversed(both):
        ledger.observe(1.0, seen)
    (record,) = ledger.open_on("s1")
    assert record.difference == BY_DATABASE
    assert [note.count for note in ledger.take_notes(1.0)] == [1]


@pytest.mark.parametrize("is_openflow_last", [True, False])
def test_what_two_observers_find_is_open_until_neither_finds_it(is_openflow_last: bool) -> None:
    ledger = DriftLedger()
    ledger.observe(1.0, seen_over_openflow(BY_OPENFLOW))
    ledger.observe(1.0, Observation("s1", OF_BRIDGES, (BY_DATABASE,)))
    ended = [Observation("s1", OF_BRIDGES), seen_over_openflow()]
    first, last = ended if is_openflow_last else ended[::-1]
    ledger.observe(2.0, first)
    assert [each.difference for each in ledger.open_on("s1")] == [
        BY_OPENFLOW if is_openflow_last else BY_DATABASE
    ]
    assert ledger.ended_on("s1") == ()
    ledger.observe(3.0, last)
    assert ledger.open_on("s1") == ()
    assert len(ledger.ended_on("s1")) == 1
    assert [(note.kind.value, note.count) for note in ledger.take_notes(3.0)] == [
        ("found", 1),
        ("ended by itself", 1),
    ]
