"""Follows a log file across rotation and truncation, and keeps its position on disk."""

import contextlib
import json
import os
import stat
from pathlib import Path

_READ_BYTES = 256 * 1024


class Follower:
    """Returns new bytes without blocking. The position is kept, so that a restart misses no line."""

    def __init__(self, path: Path, position_file: Path) -> None:
        self._path, self._position_file = path, position_file
        self._descriptor: int | None = None
        self._identity = (0, 0)
        self._offset = 0
        self._saved = (0, 0, 0)
        self.has_begun_anew = False  # the rest of an unfinished line is lost

    def read(self) -> bytes:
        """Return new bytes, or b"" if there are none now. Raise `OSError`."""
        self.has_begun_anew = False
        if self._descriptor is None:
            self._open(is_first=self._identity == (0, 0))
        assert self._descriptor is not None
        if os.fstat(self._descriptor).st_size < self._offset:  # truncated in place
            self._offset, self.has_begun_anew = 0, True
        data = os.pread(self._descriptor, _READ_BYTES, self._offset)
        self._offset += len(data)
        if not data and self._is_replaced():
            self.close()
            self._open(is_first=False)
            self.has_begun_anew = True
        return data

    def save(self) -> None:
        """Save the position if it has changed. Raise `OSError`."""
        position = (*self._identity, self._offset)
        if position == self._saved:
            return
        new = self._position_file.with_suffix(".new")
        self._position_file.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps(position), encoding="utf-8")
        new.replace(self._position_file)
        self._saved = position

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self, is_first: bool) -> None:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would block
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            os.close(descriptor)
            raise OSError(f"{self._path} is not a regular file")
        self._descriptor, self._identity = descriptor, (facts.st_dev, facts.st_ino)
        self._offset = self._remembered(facts.st_size) if is_first else 0

    def _remembered(self, size: int) -> int:
        """Return the last position in this file. An unknown file starts at its end: old alerts are stale."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            device, inode, offset = json.loads(self._position_file.read_text(encoding="utf-8"))
            if (device, inode) == self._identity:
                return int(offset) if 0 <= offset <= size else 0
            return 0  # the file was rotated while we were not running
        return size

    def _is_replaced(self) -> bool:
        try:
            facts = self._path.stat()
        except OSError:
            return False  # between rename and creation: read the old file until the new one exists
        return (facts.st_dev, facts.st_ino) != self._identity
