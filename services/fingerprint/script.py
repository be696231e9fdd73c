"""What is said to a server, as data: conversations of steps, and when an answer to each is whole. No I/O.

Every answer is somebody else's: it ends when it is whole, when too much came, or when time is over.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

Whole = Callable[[bytes], bool]
_LAST_LINE = re.compile(rb"(?:\A|\n)([^\n]*)\n\Z")


class Ending(StrEnum):
    WHOLE = "whole"
    CLOSED = "closed"
    RESET = "reset"
    SILENT = "silent"  # time was over
    TOO_MUCH = "too much"
    NO_TLS = "no TLS"  # the handshake failed


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """One thing to say, and to hear. Without a name it is not noted."""

    name: str
    say: bytes
    whole: Whole
    tls_after: bytes = b""  # begin TLS after an answer that begins so; after any other, end
    stop_after: bytes = b""  # hang up at once after an answer that begins so
    wait_s: float = 0.0  # for who may have nothing to say; 0: as long as manners are


@dataclass(frozen=True, slots=True)
class Conversation:
    """Steps over one connection. It ends early when an answer is not whole."""

    steps: tuple[ScriptStep, ...]
    begins_with_tls: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    name: str
    data: bytes
    ending: Ending
    took_s: float

    @property
    def text(self) -> str:
        """Return what was said; bytes that are no UTF-8 stay recognisable."""
        return self.data.decode("utf-8", "surrogateescape")

    @property
    def lines(self) -> list[str]:
        return self.text.replace("\r\n", "\n").removesuffix("\n").split("\n")


Answers = Mapping[str, Heard]  # by the names of steps


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How to address a server, as whom, and a domain of its mail, if any is known."""

    address: str
    client: str = "127.0.0.1"
    name: str = ""
    domain: str = ""

    @property
    def literal(self) -> str:
        """Return our own address as SMTP writes it: RFC 5321, 4.1.3."""
        return f"[IPv6:{self.client}]" if ":" in self.client else f"[{self.client}]"

    @property
    def host(self) -> str:
        """Return what a browser would call it."""
        return self.name or (f"[{self.address}]" if ":" in self.address else self.address)


def is_line(data: bytes) -> bool:
    return b"\n" in data


def is_numbered_reply(data: bytes) -> bool:
    """Say whether a reply of SMTP or FTP is whole: a last line without a hyphen or FTP's indent."""
    last = _LAST_LINE.search(data)
    if last is None:
        return False
    if re.match(rb"[0-9]{3}-", data):
        return re.match(rb"[0-9]{3}(?!-)", last[1]) is not None
    return True


def is_dotted(data: bytes) -> bool:
    """Say whether an answer of POP3 with many lines is whole; a refusal has one."""
    return is_line(data) if not data.startswith(b"+") else re.search(rb"(?:\A|\n)\.\r?\n", data) is not None


def has_tag(tag: bytes) -> Whole:
    """IMAP: whole with the line that carries our tag."""
    pattern = re.compile(rb"(?:\A|\n)" + re.escape(tag) + rb" [^\n]*\n")
    return lambda data: pattern.search(data) is not None


def never(data: bytes) -> bool:
    return False
