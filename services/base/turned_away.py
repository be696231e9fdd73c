"""Clients that got no session, in the journal. A flood of them must not fill its disk."""

import time
from collections.abc import Callable

from common.journal.journal import Report
from services.base.events import DaemonEvent

LINES = 10
PERIOD_S = 10.0


class TurnedAway:
    """The first `LINES` clients of each `PERIOD_S` seconds get a line each; the others are counted."""

    def __init__(self, report: Report, now: Callable[[], float] = time.monotonic) -> None:
        self._report, self._now = report, now
        self._begun = now()
        self._lines = self._count = 0

    def add(self, *, client: str, server: str, reply: str = "", **facts: object) -> None:
        """`reply`: what the client was told; empty: nothing."""
        self.report_due()
        if self._lines >= LINES:
            self._count += 1
            return
        self._lines += 1
        self._report(DaemonEvent.SESSION_REFUSED, client=client, server=server, **facts, reply=reply)

    def report_due(self) -> None:
        """Begin a new period if the last one is over, and report how many had no line in it."""
        if self._now() - self._begun >= PERIOD_S:
            self.report()

    def report(self) -> None:
        if self._count:
            self._report(DaemonEvent.SESSIONS_SHED, count=self._count)
        self._begun = self._now()
        self._lines = self._count = 0
