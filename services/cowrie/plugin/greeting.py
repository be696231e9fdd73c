"""How sshd reads a client's first line, and its answer if the line is not SSH (sshd's kex.c). Pure."""

import re
from dataclasses import dataclass

_LONGEST = 8192
_VERSION = re.compile(rb"SSH-(\d+)\.(\d+)-.+", re.DOTALL)
_INVALID = b"Invalid SSH identification string.\r\n"
_DIFFERENT = b"Protocol major versions differ.\r\n"


@dataclass(frozen=True)
class Refusal:
    answer: bytes
    line: bytes
    has_unread: bool  # bytes that sshd never reads


def refuse(heard: bytes) -> Refusal | None:
    """Return the refusal of a client, or None if it may continue."""
    line, newline, rest = heard.partition(b"\n")
    bad = next((at for at in range(len(line)) if _is_bad(line, at)), None)
    if bad is not None:
        return Refusal(_INVALID, line, bad + 1 < len(heard))
    if not newline:
        return None
    found = _VERSION.fullmatch(line.removesuffix(b"\r"))
    if found is None:
        return Refusal(_INVALID, line, bool(rest))
    version = int(found[1]), int(found[2])
    if version[0] != 2 and version != (1, 99):
        return Refusal(_DIFFERENT, line, bool(rest))
    return None


def _is_bad(line: bytes, at: int) -> bool:
    """Return whether sshd stops reading here: at NUL, at a CR without a newline, or at the size limit."""
    after_cr = at > 0 and line[at - 1] == 0x0D
    return line[at] == 0 or after_cr or at >= _LONGEST
