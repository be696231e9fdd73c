"""The extensions offered to the client: those that the gateway implements and the tenant's server offers now.

Servers answer EHLO the same way each time, so both directions are cached by the server's reply.
"""

from dataclasses import dataclass
from functools import lru_cache

from services.smtp.replies import Reply

# Never: CHUNKING, BINARYMIME, BURL, AUTH (its channel bindings cannot survive), XCLIENT, XFORWARD.
_IMPLEMENTED = frozenset({"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"})


@dataclass(frozen=True, slots=True)
class Offer:
    """The extensions that one client is offered. `encoded`: their lines in wire form, without the first."""

    lines: tuple[str, ...]
    extensions: frozenset[str]
    limit_bytes: int  # of a message
    encoded: bytes

    def encode(self, first_line: bytes) -> bytes:
        """Return the whole reply to EHLO. `first_line`: the server's, without code and CRLF."""
        return (b"250-%b\r\n" if self.lines else b"250 %b\r\n") % first_line + self.encoded


def announced(reply: Reply) -> tuple[str, ...]:
    """Return the lines of the server's reply to EHLO after the first."""
    return _announced(reply.wire.partition(b"\r\n")[2])


@lru_cache(maxsize=128)
def _announced(wire: bytes) -> tuple[str, ...]:
    return tuple(line[4:].decode("utf-8", "replace").strip() for line in wire.split(b"\r\n")[:-1])


@lru_cache(maxsize=128)
def offer_of(server_lines: tuple[str, ...], limit_bytes: int, has_starttls: bool) -> Offer:
    """Return the offer, in the server's order. `limit_bytes`: the tenant's, for a message."""
    lines: dict[str, None] = {}
    for text in server_lines:
        words = text.upper().split()
        if words and words[0] in _IMPLEMENTED:
            lines[_size(words, limit_bytes) if words[0] == "SIZE" else words[0]] = None
    if has_starttls:
        lines["STARTTLS"] = None
    return _built(tuple(lines), limit_bytes)


def _built(lines: tuple[str, ...], limit_bytes: int) -> Offer:
    marks = ["-"] * (len(lines) - 1) + [" "]
    encoded = "".join(f"250{mark}{line}\r\n" for mark, line in zip(marks, lines, strict=False))
    sizes = [int(line[5:]) for line in lines if line.startswith("SIZE ")]
    extensions = frozenset(line.split()[0] for line in lines)
    return Offer(lines, extensions, min([limit_bytes, *sizes]), encoded.encode())


def _size(words: list[str], limit_bytes: int) -> str:
    """Return the smaller of the two limits; 0 or nothing means that the server has none (RFC 1870, 4)."""
    theirs = int(words[1]) if len(words) > 1 and words[1].isascii() and words[1].isdigit() else 0
    return f"SIZE {min(theirs, limit_bytes) if theirs else limit_bytes}"
