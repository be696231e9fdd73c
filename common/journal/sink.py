"""The destination of a journal's lines: a file that log rotation may replace, or standard output."""

import errno
import os
import sys
from io import FileIO
from pathlib import Path
from typing import Protocol


class Sink(Protocol):
    def put(self, data: bytes) -> int:
        """Write bytes; return how many were written. Raise `OSError`."""

    def reopen(self) -> None:
        """Reopen the file by its name, after a log rotation. Raise `OSError`."""


class FileSink:
    """Raise `OSError` if the file cannot be opened. `path` None: standard output.

    `os.write` is not used: in the controller, eventlet replaces it with a function that lets other code run
    before a line is written, and that fails for devices such as /dev/null.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = self._open()

    def put(self, data: bytes) -> int:
        written = self._file.write(data)
        if written is None:  # another program has made the terminal or pipe non-blocking, and it is full
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return written

    def reopen(self) -> None:
        if self._path is not None:
            before, self._file = self._file, self._open()
            os.close(before.fileno())

    def _open(self) -> FileIO:
        if self._path is None:
            return _writer(sys.stdout.fileno())
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return _writer(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640))


def _writer(descriptor: int) -> FileIO:
    return FileIO(descriptor, "w", closefd=False)
