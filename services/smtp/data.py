"""The message after DATA: where it ends, which flaws it has, how scanners and servers see it.

It ends at CRLF . CRLF and nowhere else (RFC 5321, 4.1.1.4), even across segments,
and even if these are its first bytes. Any sequence that resembles the end of data is
content, and is counted as a flaw.
"""

from dataclasses import dataclass

_END = b"\r\n.\r\n"
_LONGEST_LINE_BYTES = 1 << 20  # real mail has lines far longer than 998 bytes; this only guards memory


@dataclass(slots=True)
class Flaws:
    """What a tenant may refuse in a message."""

    bare_newlines: int = 0
    nul_bytes: int = 0
    has_endless_line: bool = False


class DataReceiver:
    """Takes segments; returns message bytes in wire form (dots still stuffed)."""

    def __init__(self) -> None:
        self.flaws = Flaws()
        self.is_done = False
        self._held = b"\r\n"  # the line end after DATA counts as the start of the terminator
        self._held_is_ours = 2  # how many of the held bytes are that line end and not content
        self._line_bytes = 0

    def feed(self, segment: bytes | bytearray) -> tuple[bytes, bytes]:
        """Return (message bytes that are certain, bytes after the end)."""
        window = self._held + segment
        end = window.find(_END)
        if end >= 0:
            self.is_done = True
            body = window[self._held_is_ours : end + 2]
            self._note(body)
            return body, window[end + len(_END) :]
        keep = _overlap(window)
        body = window[self._held_is_ours : len(window) - keep]
        self._held_is_ours = max(0, self._held_is_ours - (len(window) - keep))
        self._held = window[len(window) - keep :]
        self._note(body)
        return body, b""

    def _note(self, body: bytes) -> None:
        """Count flaws. A CR is the last byte of `body` only if it is a bare CR.

        Searching for a byte is many times faster than counting it, and most messages have no flaw.
        """
        lone = body.replace(b"\r\n", b"")
        if b"\n" in lone or b"\r" in lone:
            self.flaws.bare_newlines += lone.count(b"\n") + lone.count(b"\r")
        if b"\0" in body:
            self.flaws.nul_bytes += body.count(b"\0")
        last = body.rfind(b"\n")
        if last < 0:
            self._line_bytes += len(body)
        else:
            first_line = self._line_bytes + body.find(b"\n")
            self.flaws.has_endless_line |= first_line > _LONGEST_LINE_BYTES
            self._line_bytes = len(body) - last - 1
        self.flaws.has_endless_line |= self._line_bytes > _LONGEST_LINE_BYTES


def _overlap(window: bytes) -> int:
    """Return how many bytes at the end of the window may be the start of the terminator."""
    for size in range(min(len(_END) - 1, len(window)), 0, -1):
        if window.endswith(_END[:size]):
            return size
    return 0


class Unstuffer:
    """Wire form to content: removes the leading dot of each line that has one (RFC 5321, 4.5.2)."""

    def __init__(self) -> None:
        self._held = b"\r\n"
        self._skip = 2

    def feed(self, piece: bytes, is_last: bool = False) -> bytes:
        window = self._held + piece
        keep = 0 if is_last else _line_end_overlap(window)
        ready, self._held = window[: len(window) - keep], window[len(window) - keep :]
        content = ready.replace(b"\r\n.", b"\r\n")
        content, self._skip = content[self._skip :], max(0, self._skip - len(content))
        return content


def _line_end_overlap(window: bytes) -> int:
    return 2 if window.endswith(b"\r\n") else 1 if window.endswith(b"\r") else 0


class Normalizer:
    """Makes bare CRs and LFs of a message, in wire form, CRLFs; piece by piece, so that no piece takes long.

    Unstuff, normalize, stuff again: content stays content. Normalizing the wire form
    would turn CRLF . LF into an end of data, and so enable smuggling.
    """

    def __init__(self) -> None:
        self._unstuffer = Unstuffer()
        self._held = b""  # a CR that may be half of a CRLF
        self._is_at_line_start = True

    def feed(self, piece: bytes, is_last: bool = False) -> bytes:
        content = self._held + self._unstuffer.feed(piece, is_last)
        self._held = b""
        if content.endswith(b"\r") and not is_last:
            content, self._held = content[:-1], b"\r"
        if not content:
            return b""
        lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        dot = b"." if self._is_at_line_start and lines.startswith(b".") else b""
        self._is_at_line_start = lines.endswith(b"\n")
        return dot + lines.replace(b"\n.", b"\n..").replace(b"\n", b"\r\n")
