"""Captures data from a client: its hash, and the data itself while there is room."""

import hashlib

from services.decoy.dialogues.base import Content

MOST_KEPT_BYTES = 4 * 1024 * 1024


class Budget:
    """The bytes that all captures of a decoy may hold together. Beyond that, captures only hash."""

    def __init__(self, total: int) -> None:
        self.left = total


class Capture:
    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._hash = hashlib.sha256()
        self._data = bytearray()
        self._is_whole = True
        self.size = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self._hash.update(piece)
        if not self._is_whole:
            return
        if self.size > MOST_KEPT_BYTES or len(piece) > self._budget.left:
            self._is_whole = False
            self.release()
            return
        self._budget.left -= len(piece)
        self._data += piece

    def finish(self) -> Content:
        """Return the captured data; the capture is empty afterwards."""
        content = Content(self._hash.hexdigest(), self.size, bytes(self._data), self._is_whole)
        self.release()
        return content

    def release(self) -> None:
        self._budget.left += len(self._data)
        self._data.clear()
