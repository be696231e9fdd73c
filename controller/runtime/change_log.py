"""The journal's lines about changes: by which principal, what, why, and whether it was refused.

They are bounded, so that a client cannot fill the disk. A journal that cannot be written blocks no change.
"""

from collections import Counter

from common.journal.journal import Journal
from common.reports import one_line
from controller.runtime.asked import Asked
from controller.runtime.commands.base import Change
from controller.runtime.principals import Principal
from controller.telemetry.events import ControllerEvent

_MOST_LINES = 20  # per minute, for each principal, command and event; more are counted in one line
_MINUTE_S = 60.0
_Kind = tuple[ControllerEvent, Principal, str]


class ChangeLog:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._counts = Counter[_Kind]()
        self._ends_at = 0.0

    def note_made(self, asked: Asked[object], result: object, before: int, revision: int) -> None:
        """Write a line if the command was a change. `before`, `revision`: of the policy, before and after."""
        if not isinstance(asked.command, Change):
            return
        if refusal := asked.command.refusal(result):
            self._note_refusal(asked, asked.command, refusal)
            return
        self._note(
            asked, asked.command, ControllerEvent.CHANGE_MADE, revision_before=before, revision=revision
        )

    def note_refused(self, asked: Asked[object], error: Exception) -> None:
        if isinstance(asked.command, Change):
            self._note_refusal(asked, asked.command, str(error).strip() or type(error).__name__)

    def on_tick(self, now: float) -> None:
        """Once per minute, report how many changes have got no line."""
        if now < self._ends_at:
            return
        for (event, by, command), count in self._counts.items():
            if count > _MOST_LINES:
                self._journal.write(
                    ControllerEvent.MANY_CHANGES_ASKED,
                    by=str(by),
                    command=command,
                    count=count - _MOST_LINES,
                    refused=event is ControllerEvent.CHANGE_REFUSED,
                )
        self._counts.clear()
        self._ends_at = now + _MINUTE_S

    def _note_refusal(self, asked: Asked[object], change: Change[object], refusal: str) -> None:
        self._note(asked, change, ControllerEvent.CHANGE_REFUSED, refusal=one_line(refusal))

    def _note(
        self, asked: Asked[object], change: Change[object], event: ControllerEvent, **facts: object
    ) -> None:
        name = type(change).__name__
        self._counts[event, asked.by, name] += 1
        if self._counts[event, asked.by, name] <= _MOST_LINES:
            self._journal.write(
                event,
                by=str(asked.by),
                command=name,
                subject=one_line(change.subject),
                reason=one_line(asked.reason),
                **facts,
            )
