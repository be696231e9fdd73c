"""The outcomes of a message: one frozen type for each, with the one reply that the client gets.

A `Reply` is always that of the tenant's server; an `OwnReply` is from the catalogue, which has no 2xx for a
message. So a 2xx for a message can only be a copy of the server's.
"""

from dataclasses import dataclass
from enum import StrEnum

from services.base.clamd import VerdictKind
from services.smtp import catalogue
from services.smtp.catalogue import OwnReply
from services.smtp.replies import Reply


@dataclass(frozen=True, slots=True)
class Delivered:
    """The server has accepted the message."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class RejectedByServer:
    """The server has answered 4xx or 5xx, to DATA or to the message."""

    reply: Reply
    at_data: bool


class ContentFlaw(StrEnum):
    """Why a message is refused before it is scanned; `REPLY_BY_FLAW` has a reply for each."""

    TOO_LARGE = "too large"
    NO_ROOM = "no room"
    BARE_NEWLINES = "bare newlines"
    NUL = "NUL"
    ENDLESS_LINE = "endless line"
    MAIL_LOOP = "mail loop"


REPLY_BY_FLAW = {
    ContentFlaw.TOO_LARGE: catalogue.TOO_BIG,
    ContentFlaw.NO_ROOM: catalogue.DISK_FULL,
    ContentFlaw.BARE_NEWLINES: catalogue.BARE_NEWLINE,
    ContentFlaw.NUL: catalogue.NUL_BYTE,
    ContentFlaw.ENDLESS_LINE: catalogue.ENDLESS_LINE,
    ContentFlaw.MAIL_LOOP: catalogue.MAIL_LOOP,
}


@dataclass(frozen=True, slots=True)
class RejectedByContent:
    """The message itself is not acceptable."""

    flaw: ContentFlaw


@dataclass(frozen=True, slots=True)
class RejectedByVerdict:
    """The tenant's policy refuses or defers messages with this verdict."""

    reply: OwnReply
    verdict: VerdictKind


@dataclass(frozen=True, slots=True)
class Deferred:
    """The server did not get the message: it was unreachable, lost, or sent invalid replies."""

    reply: OwnReply
    reason: str


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The server got the whole message, and its reply was lost: it may have accepted it."""

    reply: OwnReply
    reason: str


Outcome = Delivered | RejectedByServer | RejectedByContent | RejectedByVerdict | Deferred | InDoubt
