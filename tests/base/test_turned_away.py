"""Clients without a session: some in lines, the others in a count."""

import pytest

from common.journal.events import Event
from services.base.events import DaemonEvent
from services.base.turned_away import LINES, PERIOD_S, TurnedAway

CLIENT = {"client": "198.51.100.9", "server": "203.0.113.25"}
BUSY = "421 4.7.0 too many concurrent sessions"


class _Written:
    def __init__(self) -> None:
        self.lines: list[tuple[Event, dict[str, object]]] = []
        self.now = 0.0
        self.turned_away = TurnedAway(self.report, lambda: self.now)

    def report(self, event: Event, /, **facts: object) -> None:
        self.lines.append((event, facts))


@pytest.fixture
def written() -> _Written:
    return _Written()


def test_a_client_that_is_turned_away_has_a_line(written: _Written) -> None:
    written.turned_away.add(**CLIENT, reply=BUSY)
    assert written.lines == [(DaemonEvent.SESSION_REFUSED, {**CLIENT, "reply": BUSY})]


def test_a_flood_writes_a_few_lines_and_one_count_in_each_period(written: _Written) -> None:
    for second in range(30):
        written.now = float(second)
        for _ in range(1_000):
            written.turned_away.add(**CLIENT)
    written.turned_away.report()
    refused = [facts for event, facts in written.lines if event is DaemonEvent.SESSION_REFUSED]
    counts = [facts["count"] for event, facts in written.lines if event is DaemonEvent.SESSIONS_SHED]
    assert len(refused) == 3 * LINES
    assert counts == [10_000 - LINES] * 3


def test_the_count_of_a_flood_that_ended_is_written_when_its_period_is_over(written: _Written) -> None:
    for _ in range(LINES + 2):
        written.turned_away.add(**CLIENT)
    written.turned_away.report_due()
    assert len(written.lines) == LINES
    written.now = PERIOD_S
    written.turned_away.report_due()
    assert written.lines[LINES:] == [(DaemonEvent.SESSIONS_SHED, {"count": 2})]


def test_without_a_flood_nothing_is_counted(written: _Written) -> None:
    written.turned_away.add(**CLIENT)
    written.turned_away.report()
    assert [event for event, _ in written.lines] == [DaemonEvent.SESSION_REFUSED]
