"""Splits bytes, in pieces of any size, into lines of bounded length. Pure."""


class LineSplitter:
    """Drops and counts lines that are too long."""

    def __init__(self, longest_bytes: int) -> None:
        self._longest = longest_bytes
        self._rest = b""
        self._is_too_long = False
        self.overlong = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the complete lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if lines and self._is_too_long:
            lines, self._is_too_long = lines[1:], False
        whole = [line for line in lines if len(line) <= self._longest]
        self.overlong += len(lines) - len(whole)
        if len(self._rest) > self._longest:
            self.overlong += not self._is_too_long
            self._rest, self._is_too_long = b"", True
        elif self._is_too_long:
            self._rest = b""
        return [line for line in whole if line.strip()]

    def end(self) -> None:
        """Drop an unfinished line."""
        self._rest, self._is_too_long = b"", False
