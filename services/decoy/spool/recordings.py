"""Recordings of sessions: SPOOL/sessions/SESSION, lines of text that `replay.py` reads back.

    {"format": 1, "at": "...", "source": ...}      the session's fields in the journal
    < 0.001234 SGVsbG8=                            seconds since the start, what the decoy sent, base64
    > 0.023456 SEVMUA0K                            what the client sent, after TLS decryption

The oldest recordings are removed when the quota is reached. Each session also has a limit.
"""

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path

from services.decoy.spool.quota import Quota

FORMAT = 1
OUT, IN = "<", ">"


class Recordings:
    """The constructor may raise `OSError`. Later errors are counted in `lost` and not raised."""

    def __init__(self, spool: Path, limit_bytes: int, session_bytes: int) -> None:
        self._quota = Quota(spool / "sessions", limit_bytes)
        self._session_bytes = session_bytes
        self.lost = 0

    def begin(self, session: str, facts: Mapping[str, object]) -> "Recording":
        head = json.dumps({"format": FORMAT, **facts}) + "\n"
        return Recording(self, session, head, self._session_bytes)

    def append(self, session: str, data: bytes) -> bool:
        """Return whether it was written."""
        while not self._quota.has_room(session, len(data)):
            if not self._quota.remove_oldest(but=session):
                return False
        path = self._quota.directory / session
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o640)
            try:
                written = os.write(descriptor, data)
            finally:
                os.close(descriptor)
        except OSError:
            self.lost += 1
            return False
        self._quota.add(session, written)
        self.lost += written < len(data)
        return written == len(data)


class Recording:
    """The recording of one session. Small pieces are collected: a slow client causes few writes."""

    def __init__(self, recordings: Recordings, session: str, head: str, limit_bytes: int) -> None:
        self._recordings, self._session = recordings, session
        self._waiting = [head]
        self._waiting_bytes = 0
        self._left = limit_bytes
        self.is_whole = True

    def add(self, direction: str, seconds: float, data: bytes) -> None:
        if not data or not self.is_whole:
            return
        if len(data) > self._left:
            data, self.is_whole = data[: self._left], False
        self._left -= len(data)
        self._waiting.append(f"{direction} {seconds:.6f} {base64.b64encode(data).decode()}\n")
        self._waiting_bytes += len(data)
        if self._waiting_bytes > 4_096:
            self.flush()

    def flush(self) -> None:
        lines, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if lines and not self._recordings.append(self._session, "".join(lines).encode()):
            self.is_whole = False


class Unrecorded:
    """A session that is not worth recording: that of the health agent."""

    is_whole = True

    def add(self, direction: str, seconds: float, data: bytes) -> None:
        return

    def flush(self) -> None:
        return
