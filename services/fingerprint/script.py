"""What is sent to a server, as data: conversations of steps, and when each answer is complete. No I/O.

Answers are untrusted: reading ends when the answer is complete, too long, or too late.
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
    SILENT = "silent"  # time ran out
    TOO_MUCH = "too much"
    NO_TLS = "no TLS"  # the handshake failed


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """One request and its answer. Without a name, the answer is not recorded."""

    name: str
    say: bytes
    whole: Whole
    tls_after: bytes = b""  # begin TLS after an answer with this prefix; after any other, end
    stop_after: bytes = b""  # close at once after an answer with this prefix
    wait_s: float = 0.0  # for servers that may not answer; 0: the time limit of `Manners`


@dataclass(frozen=True, slots=True)
class Conversation:
    """Steps over one connection. It ends early if an answer is incomplete."""

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
        """Return the answer as text; bytes that are not valid UTF-8 are escaped."""
        return self.data.decode("utf-8", "surrogateescape")

    @property
    def lines(self) -> list[str]:
        return self.text.replace("\r\n", "\n").removesuffix("\n").split("\n")


Answers = Mapping[str, Heard]  # by the names of steps


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The server's address and name, our own address, and a mail domain of the server, if known."""

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
        """Return the Host that a browser would send."""
        return self.name or (f"[{self.address}]" if ":" in self.address else self.address)


def is_line(data: bytes) -> bool:
    return b"\n" in data


def is_numbered_reply(data: bytes) -> bool:
    """Return whether an SMTP or FTP reply is complete: a last line without a hyphen or FTP's indent."""
    last = _LAST_LINE.search(data)
    if last is None:
        return False
    if re.match(rb"[0-9]{3}-", data):
        return re.match(rb"[0-9]{3}(?!-)", last[1]) is not None
    return True


def is_dotted(data: bytes) -> bool:
    """Return whether a multi-line POP3 answer is complete; a refusal has one line."""
    return is_line(data) if not data.startswith(b"+") else re.search(rb"(?:\A|\n)\.\r?\n", data) is not None


def has_tag(tag: bytes) -> Whole:
    """Return a check for IMAP: an answer is complete with the line that has our tag."""
    pattern = re.compile(rb"(?:\A|\n)" + re.escape(tag) + rb" [^\n]*\n")
    return lambda data: pattern.search(data) is not None


def never(data: bytes) -> bool:
    return False
