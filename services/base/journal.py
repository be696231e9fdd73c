"""The journal of a program on a host: lines are held briefly and written together."""

import asyncio
from pathlib import Path

from common.journal.events import Event
from common.journal.journal import Journal, Ship
from common.journal.sink import FileSink, Sink

# One write per line would cost the mail gateway a tenth of its throughput.
_PATIENCE_S = 0.01
_MOST_WAITING = 200


class BatchedJournal(Journal):
    """Without a running event loop, each line is written at once."""

    def __init__(self, sink: Sink, program: str, instance: str, ship: Ship | None = None) -> None:
        super().__init__(sink, program, instance, ship)
        self._flush_at: asyncio.TimerHandle | None = None

    def flush(self) -> None:
        if self._flush_at is not None:
            self._flush_at.cancel()
            self._flush_at = None
        super().flush()

    def _on_waiting(self, event: Event) -> None:
        if event.is_urgent or len(self._waiting) >= _MOST_WAITING:
            self.flush()
        elif self._flush_at is None:
            self._flush_soon()

    def _flush_soon(self) -> None:
        try:
            self._flush_at = asyncio.get_running_loop().call_later(_PATIENCE_S, self.flush)
        except RuntimeError:
            self.flush()


def open_journal(path: Path | None, program: str, instance: str, ship: Ship | None = None) -> BatchedJournal:
    """Append to a file, or to standard output. Raise `OSError`."""
    return BatchedJournal(FileSink(path), program, instance, ship)
