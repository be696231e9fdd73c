"""Reports what Cowrie's attackers do: journal lines, evidence, recordings and uploads."""

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from common.journal.events import Event
from services.cowrie.state_directory import StateDirectory
from services.cowrie.translate import Accused, CowrieOutcome, Ended, Noted, Typed, Uploaded
from services.decoy.dialogues.base import Content
from services.decoy.events import Encounter, Notes
from services.decoy.journal import DecoyEvent
from services.decoy.spool.recordings import IN, OUT, Recording

_LARGEST_UPLOAD_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class _Tape:
    recording: Recording
    began: float


class Reporting:
    """Carries out a translator's outcomes. `ended` is called at the end of each session."""

    def __init__(self, notes: Notes, ended: Callable[[Encounter], object]) -> None:
        self._notes = notes
        self._ended = ended
        self._tapes: dict[str, _Tape] = {}  # of sessions that reached a terminal

    def carry(self, outcomes: Iterable[CowrieOutcome], home: StateDirectory) -> None:
        for outcome in outcomes:
            match outcome:
                case Noted():
                    self._note(outcome.encounter, outcome.event, **outcome.details)
                case Accused():
                    self._accuse(outcome)
                case Typed():
                    self._record(outcome)
                case Uploaded():
                    self._keep(outcome, home.downloads)
                case Ended(encounter):
                    if tape := self._tapes.pop(encounter.session, None):
                        tape.recording.flush()
                    self._ended(encounter)

    def flush(self) -> None:
        """Write what was recorded so far."""
        for tape in self._tapes.values():
            tape.recording.flush()

    def _note(self, encounter: Encounter, event: Event, **details: object) -> None:
        if encounter.is_probe:
            return
        journal = self._notes.journal
        journal.write(event, journal.about(**encounter.facts()), **details)

    def _accuse(self, accused: Accused) -> None:
        if not accused.encounter.is_probe:
            self._notes.post.add(accused.encounter.evidence(accused.kind, accused.detail))

    def _record(self, typed: Typed) -> None:
        session = typed.encounter.session
        tape = self._tapes.get(session)
        if tape is None:
            recording = self._notes.recordings.begin(session, typed.encounter.facts())
            tape = self._tapes[session] = _Tape(recording, typed.at)
        tape.recording.add(IN if typed.from_attacker else OUT, max(0.0, typed.at - tape.began), typed.data)

    def _keep(self, uploaded: Uploaded, downloads: Path) -> None:
        """Copy a file from Cowrie. Its hash is computed again: Cowrie's claim is not trusted."""
        data = _take(downloads / uploaded.sha256)
        facts: dict[str, object] = {"sha256": uploaded.sha256, "kept": False}
        if data is not None:
            is_whole = len(data) < _LARGEST_UPLOAD_BYTES
            content = Content(hashlib.sha256(data).hexdigest(), len(data), data, is_whole)
            is_kept = self._notes.uploads.keep(content)
            facts = {"sha256": content.sha256, "size": content.size, "kept": is_kept}
        self._note(uploaded.encounter, DecoyEvent.FILE_UPLOADED, name=uploaded.name, **facts)


def _take(path: Path) -> bytes | None:
    """Return a file's content. The file stays: Cowrie shows it to its attacker until the next restart."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file, contextlib.suppress(OSError):
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file.read(_LARGEST_UPLOAD_BYTES)
    return None
