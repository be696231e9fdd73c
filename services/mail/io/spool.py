"""Holds a message until its verdict: in memory while small, then in a file without a name.

A crash leaves nothing behind, since the file has no name. It raises `SpoolFull` if the
disk is full or fails; the whole message is then refused.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from services.mail.relay.ports import SpoolFull

MEMORY_BYTES = 256 * 1024
_PIECE_BYTES = 64 * 1024


class FileSpool:
    """Holds the wire form of one message."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._parts: list[bytes] = []
        self._file: FileIO | None = None
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def write(self, piece: bytes) -> None:
        self.size_bytes += len(piece)
        self._hash.update(piece)
        if self._file is None:
            self._parts.append(piece)
            if self.size_bytes > MEMORY_BYTES:
                self._move_to_file()
            return
        self._to_file(piece)

    def read(self) -> Iterator[bytes]:
        """Yield the whole message in pieces."""
        if self._file is None:
            yield from self._parts
            return
        self._file.seek(0)
        while piece := self._file.read(_PIECE_BYTES):
            yield piece

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def close(self) -> None:
        self._parts.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _move_to_file(self) -> None:
        try:
            # Without a buffer: a full disk shows now, and not when the message is read, or closed.
            self._file = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115 - see close()
        except OSError as error:
            raise SpoolFull(str(error)) from error
        self._to_file(b"".join(self._parts))
        self._parts.clear()

    def _to_file(self, piece: bytes) -> None:
        assert self._file is not None
        left = memoryview(piece)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise SpoolFull(str(error)) from error
