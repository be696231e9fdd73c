"""The destination of a journal's lines: a file that log rotation may replace, or standard output."""

import os
import sys
from pathlib import Path
from typing import Protocol


class Sink(Protocol):
    def put(self, data: bytes) -> int:
        """Write bytes; return how many were written. Raise `OSError`."""

    def reopen(self) -> None:
        """Reopen the file by its name, after a log rotation. Raise `OSError`."""


class FileSink:
    """Raise `OSError` if the file cannot be opened. `path` None: standard output."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = self._open()

    def put(self, data: bytes) -> int:
        return os.write(self._file, data)

    def reopen(self) -> None:
        if self._path is not None:
            before, self._file = self._file, self._open()
            os.close(before)

    def _open(self) -> int:
        if self._path is None:
            return sys.stdout.fileno()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
