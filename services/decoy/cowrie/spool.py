"""Recordings of sessions and uploaded files, each within a quota: the oldest recordings go, no upload does.

A recording is SESSION in `sessions`, JSON lines: [seconds since 1970, ">" from the attacker or "<" to
him, base64].
"""

import base64
import contextlib
import json
import os
import re
from collections import OrderedDict
from pathlib import Path

_LONGEST_RECORDING_BYTES = 8 * 1024 * 1024
_SESSION = re.compile(r"[0-9a-f]{16}")
_HASH = re.compile(r"[0-9a-f]{64}")


class FileSpool:
    """Nothing here raises because the disk is full: what is not kept is counted in `lost`."""

    def __init__(self, path: Path, recordings_bytes: int, uploads_bytes: int) -> None:
        """Raise `OSError` if there is no such place."""
        self._sessions, self._uploads = path / "sessions", path / "uploads"
        for directory in (self._sessions, self._uploads):
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o750)
        self._recordings_bytes, self._uploads_bytes = recordings_bytes, uploads_bytes
        self._size_by_session = _sizes(self._sessions)
        self._size_by_hash = _sizes(self._uploads)
        self.lost = 0

    def record(self, session: str, at: float, from_attacker: bool, data: bytes) -> None:
        line = json.dumps([round(at, 6), ">" if from_attacker else "<", base64.b64encode(data).decode()])
        size = self._size_by_session.get(session, 0)
        if not _SESSION.fullmatch(session) or size > _LONGEST_RECORDING_BYTES:
            self.lost += 1
            return
        try:
            with open(self._sessions / session, "ab", opener=_private) as file:
                file.write(line.encode() + b"\n")
        except OSError:
            self.lost += 1
            return
        self._size_by_session[session] = size + len(line) + 1
        self._make_room(session)

    def end(self, session: str) -> None:
        """Note that nothing more comes: it is as old as its end."""
        if session in self._size_by_session:
            self._size_by_session.move_to_end(session)

    def keep(self, sha256: str, data: bytes) -> bool:
        """Keep a file, once; say whether it is kept."""
        if sha256 in self._size_by_hash:
            return True
        full = sum(self._size_by_hash.values()) + len(data) > self._uploads_bytes
        if full or not _HASH.fullmatch(sha256):
            return False
        draft = self._uploads / f"{sha256}.draft"
        try:
            with open(draft, "wb", opener=_private) as file:
                file.write(data)
            draft.replace(self._uploads / sha256)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink()
            return False
        self._size_by_hash[sha256] = len(data)
        return True

    def _make_room(self, but: str) -> None:
        while sum(self._size_by_session.values()) > self._recordings_bytes and len(self._size_by_session) > 1:
            oldest = next(name for name in self._size_by_session if name != but)
            with contextlib.suppress(OSError):
                (self._sessions / oldest).unlink()
            del self._size_by_session[oldest]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)


def _sizes(directory: Path) -> OrderedDict[str, int]:
    """Return the sizes of its files by name, oldest first."""
    found = sorted(
        (entry.stat().st_mtime_ns, entry.name, entry.stat().st_size) for entry in os.scandir(directory)
    )
    return OrderedDict((name, size) for _, name, size in found)
