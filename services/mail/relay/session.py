"""The state of one session with one client, and the operations that all commands share."""

from dataclasses import dataclass

from services.base.settings import Address
from services.mail.events import MailEvent
from services.mail.relay import capabilities
from services.mail.relay.envelope import Envelope
from services.mail.relay.limits import Limits
from services.mail.relay.ports import Dependencies, Peers, Violation
from services.mail.relay.upstream import Upstream
from services.mail.settings import Settings, Tenant
from services.smtp import catalogue
from services.smtp.catalogue import OwnReply, with_trace
from services.smtp.lines import LineReader
from services.smtp.replies import Reply


class Hangup(Exception):
    """Ends the session; `reply` is the last reply to the client, if any. The text says why."""

    def __init__(self, reason: str, reply: OwnReply | None = None) -> None:
        super().__init__(reason)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class SessionContext:
    """The two ends of the session, and what stays the same until it ends."""

    session_id: str
    settings: Settings
    tenant: Tenant
    client: Address
    has_starttls: bool  # for the client


class Session:
    __slots__ = (
        "client",
        "context",
        "envelope",
        "has_greeted",
        "is_deferred",
        "is_encrypted",
        "limits",
        "lines",
        "messages",
        "note",
        "offer",
        "refused_data",
        "shared",
        "tenant",
        "upstream",
    )

    def __init__(self, shared: Dependencies, context: SessionContext, peers: Peers) -> None:
        self.shared, self.context, self.tenant = shared, context, context.tenant
        self.client, self.note = peers.client, peers.journal.note
        self.upstream = Upstream(peers.server, self.tenant.tls.server, shared.clock)
        self.limits, self.lines = Limits(), LineReader()
        self.envelope: Envelope | None = None
        self.messages = 0
        self.is_encrypted = False
        self.has_greeted = False  # the client has sent EHLO or HELO, and it was accepted
        self.is_deferred = False  # the server cannot be reached: every message is deferred
        self.refused_data = False  # by the last command: the client may still send its message
        self.forget_hello()

    @property
    def trace(self) -> str:
        return f"{self.context.session_id}-{self.messages}"

    def forget_hello(self) -> None:
        """Reset the offer, as before the client's first EHLO."""
        self.has_greeted = False
        self.offer = capabilities.offer_of((), self.tenant.message_limit_bytes, False)

    def say(self, reply: OwnReply) -> None:
        """Send one of the gateway's own replies."""
        self.client.write(with_trace(reply, self.trace))

    def fail(self, reply: OwnReply) -> None:
        """Refuse a command, and end the session after too many refusals."""
        is_last = self.limits.count_error()
        self.say(reply)
        if is_last:
            raise self.violate(catalogue.TOO_MANY_ERRORS, "too many errors")

    def count_junk(self) -> None:
        """Note a command that leads nowhere. Raise `Hangup` after too many."""
        if self.limits.count_junk():
            raise self.violate(catalogue.TOO_MANY_ERRORS, "too many commands without a message")

    def violate(self, reply: OwnReply | None, reason: str) -> Hangup:
        """Report a protocol violation and return the exception that ends the session."""
        self.note_violation(reason)
        return Hangup(reason, reply)

    def note_violation(self, reason: str) -> None:
        self.note(MailEvent.PROTOCOL_VIOLATED, {"reason": reason}, Violation(reason))

    def pass_on(self, reply: Reply) -> None:
        """Pass the server's reply to the client unchanged; a 421 is its last."""
        self.client.write(reply.wire)
        self.end_after(reply)

    @staticmethod
    def end_after(reply: Reply) -> None:
        """Raise `Hangup` if the server has ended the session with this reply (RFC 5321, 3.8)."""
        if reply.code == 421:
            raise Hangup(f"ended by the server: {reply.text}")
