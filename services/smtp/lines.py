"""Takes one command line from a buffer: ended by CRLF, bounded, without NUL and bare CR or LF.

RFC 5321, 2.3.8: CR and LF only appear together. SMTP smuggling uses a bare LF that one
side treats as the end of a line and the other does not.
"""

# RFC 5321, 4.5.3.1.4: 512; DSN and SMTPUTF8 parameters may add to it (RFC 3461, 4; RFC 6531, 3.4).
MAX_COMMAND_BYTES = 2_048


_MOST_DISCARDED_BYTES = 64 * 1024


class LineError(Exception):
    """The client's line breaks the protocol; the line was consumed."""


class LineTooLong(LineError):
    """`is_unfinished`: the end of the line has not arrived yet; input up to it belongs to this line."""

    def __init__(self, is_unfinished: bool) -> None:
        super().__init__("line too long")
        self.is_unfinished = is_unfinished


def take_line(buffer: bytearray) -> bytes | None:
    """Take one line, without its CRLF, off the front of the buffer; None while it is incomplete.

    Raise `LineError` for a line that is too long, or has a bare CR, a bare LF or
    a NUL. The offending bytes are consumed, so that the caller can continue.
    """
    if not buffer:
        return None
    end = buffer.find(b"\n", 0, MAX_COMMAND_BYTES)
    if end < 0:
        if len(buffer) >= MAX_COMMAND_BYTES:
            cut = buffer.find(b"\n")
            del buffer[: cut + 1 if cut >= 0 else len(buffer)]
            raise LineTooLong(is_unfinished=cut < 0)
        return None
    line = bytes(buffer) if end + 1 == len(buffer) else bytes(buffer[: end + 1])
    del buffer[: end + 1]
    if line[-2:] != b"\r\n":
        raise LineError("line ended by a bare LF")
    line = line[:-2]
    if b"\r" in line:
        raise LineError("bare CR inside a line")
    if b"\0" in line:
        raise LineError("NUL inside a line")
    return line


class LineReader:
    """Takes the lines of one connection. An overlong line is refused once, in however many segments."""

    __slots__ = ("_discarded_bytes", "_is_discarding")

    def __init__(self) -> None:
        self._is_discarding = False
        self._discarded_bytes = 0

    def take(self, buffer: bytearray) -> bytes | None:
        """Like `take_line`. The rest of a refused line is not treated as another line."""
        if self._is_discarding and not self._discard(buffer):
            return None
        try:
            return take_line(buffer)
        except LineTooLong as error:
            self._is_discarding, self._discarded_bytes = error.is_unfinished, 0
            raise

    def _discard(self, buffer: bytearray) -> bool:
        """Drop the rest of the line; return whether its end was found. Raise `LineTooLong` at intervals."""
        end = buffer.find(b"\n")
        self._is_discarding = end < 0
        self._discarded_bytes += len(buffer)
        del buffer[: end + 1 if end >= 0 else len(buffer)]
        if self._is_discarding and self._discarded_bytes > _MOST_DISCARDED_BYTES:
            self._discarded_bytes = 0
            raise LineTooLong(is_unfinished=True)
        return not self._is_discarding
