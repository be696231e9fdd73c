"""Replies of a tenant's server: read as a whole, checked, and passed on unchanged."""

import re
from dataclasses import dataclass

MAX_REPLY_BYTES = 64 * 1024
MAX_REPLY_LINES = 512
_LINE = re.compile(rb"(?P<code>[2-5][0-9]{2})(?P<more>[ -]|$)[^\x00\r\n]*")

_ONE_LINE = re.compile(rb"[2-5][0-9]{2}(?: [^\x00\r\n]{0,1000})?\r\n")


class ReplyError(Exception):
    """The server's bytes are not a valid SMTP reply (RFC 5321, 4.2)."""


@dataclass(slots=True)  # not frozen: made for every reply, and that costs six times as much
class Reply:
    code: int
    wire: bytes  # all lines, CRLFs included

    @property
    def is_positive(self) -> bool:
        return 200 <= self.code < 300

    @property
    def text(self) -> str:
        return self.wire.decode("utf-8", "replace").strip()

    @property
    def first_line(self) -> bytes:
        """The text of the first line, without its code."""
        return self.wire.partition(b"\r\n")[0][4:]


def take_reply(buffer: bytearray) -> Reply | None:
    """Take one whole reply off the front; None while it is incomplete. Raise `ReplyError`."""
    if not buffer:
        return None
    if _ONE_LINE.fullmatch(buffer):  # nearly all replies; longer ones are read line by line
        wire = bytes(buffer)
        buffer.clear()
        return Reply(int(wire[:3]), wire)
    at = 0
    code = b""
    for _ in range(MAX_REPLY_LINES):
        end = buffer.find(b"\r\n", at)
        if end < 0:
            if len(buffer) > MAX_REPLY_BYTES:
                raise ReplyError("reply too long")
            return None
        found = _LINE.fullmatch(buffer, at, end)
        if not found:
            raise ReplyError("line is not a valid reply")
        if code and found["code"] != code:
            raise ReplyError("lines of one reply differ in code")
        code = found["code"]
        at = end + 2
        if found["more"] != b"-":
            wire = bytes(buffer[:at])
            del buffer[:at]
            return Reply(int(code), wire)
        if at > MAX_REPLY_BYTES:
            raise ReplyError("reply too long")
    raise ReplyError("reply has too many lines")
