"""The bytes of a message, after DATA or in a BDAT chunk: where they end, and their content."""

from services.decoy.dialogues.capture import Capture


class Body:
    """A message after DATA, without dot-stuffing. Any line with only a dot ends it, with any line endings."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.is_done = False
        self._is_at_line_start = True

    def feed(self, data: bytes) -> int:
        taken, content = 0, bytearray()
        while taken < len(data) and not self.is_done:
            if self._is_at_line_start:
                first = data[taken : taken + 3]
                if first in (b".", b".\r"):
                    break  # may be the end: wait for more
                if first == b".\r\n" or first[:2] == b".\n":
                    self.is_done = True
                    taken += first.index(b"\n") + 1
                    break
                taken += first.startswith(b".")
            end = data.find(b"\n", taken)
            stop = end + 1 if end >= 0 else len(data)
            content += data[taken:stop]
            self._is_at_line_start = end >= 0
            taken = stop
        self.capture.add(bytes(content))
        return taken


class Chunk:
    """A BDAT chunk (RFC 3030): a fixed number of arbitrary bytes."""

    def __init__(self, capture: Capture, size: int, is_last: bool) -> None:
        self.capture, self.size, self.is_last = capture, size, is_last
        self._left = size

    @property
    def is_done(self) -> bool:
        return self._left == 0

    def feed(self, data: bytes) -> int:
        piece = data[: self._left]
        self.capture.add(piece)
        self._left -= len(piece)
        return len(piece)
