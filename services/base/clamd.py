"""The clamd protocol (clamd(8)): encodes requests and parses answers into verdicts. No I/O.

Only answers in the documented forms are trusted. Anything else is `unavailable`,
which never means clean.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

VERSION_REQUEST = b"zVERSION\0"
PING_REQUEST = b"zPING\0"
STREAM_REQUEST = b"zINSTREAM\0"
STREAM_END = b"\0\0\0\0"
MAX_ANSWER_BYTES = 4_096
_FOUND = re.compile(r"stream: (?P<signature>[!-~]{1,300})(?:\([0-9a-f]+:[0-9]+\))? FOUND")
_LIMITS = ("Heuristics.Limits.Exceeded",)
_ENCRYPTED = ("Heuristics.Encrypted",)


class VerdictKind(StrEnum):
    CLEAN = "clean"
    INFECTED = "infected"
    LIMITS = "limits"
    ENCRYPTED = "encrypted"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of scanning one message. `detail`: signature, or why there is no verdict."""

    kind: VerdictKind
    detail: str = ""
    scanner: str = ""
    is_cached: bool = False


def encode_chunk(chunk: bytes) -> bytes:
    return len(chunk).to_bytes(4) + chunk


def parse_answer(answer: bytes, scanner: str) -> Verdict:
    """Return the verdict in clamd's answer to INSTREAM, given without its closing NUL."""
    text = answer.decode("utf-8", "replace").strip()
    if text == "stream: OK":
        return Verdict(VerdictKind.CLEAN, scanner=scanner)
    if found := _FOUND.fullmatch(text):
        return Verdict(_kind_of(found["signature"]), found["signature"], scanner)
    if "size limit exceeded" in text:
        return Verdict(VerdictKind.LIMITS, "larger than the scanner's limit", scanner)
    return Verdict(VerdictKind.UNAVAILABLE, f"scanner answered {text[:200]!r}", scanner)


def _kind_of(signature: str) -> VerdictKind:
    if signature.startswith(_LIMITS):
        return VerdictKind.LIMITS
    if signature.startswith(_ENCRYPTED):
        return VerdictKind.ENCRYPTED
    return VerdictKind.INFECTED
