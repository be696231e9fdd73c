"""One message: receive all of it, check it, scan it, and only then offer it to the server.

This order is the guarantee. DATA to the tenant's server is sent after the verdict, so a refused message never
reaches its final dot. Each step returns its outcome, and only `_conclude` replies to the client, once.
"""

from collections.abc import Mapping
from contextlib import suppress

from services.mail.events import MailEvent
from services.mail.relay.delivery import StoppedInDoubt, deliver
from services.mail.relay.envelope import Envelope
from services.mail.relay.message import Intake
from services.mail.relay.outcome import (
    REPLY_BY_FLAW,
    Deferred,
    Delivered,
    InDoubt,
    Outcome,
    RejectedByContent,
    RejectedByServer,
    RejectedByVerdict,
)
from services.mail.relay.ports import Observation
from services.mail.relay.scanning import MailFacts, judge, must_scan
from services.mail.relay.session import Session
from services.mail.relay.upstream import UpstreamLost
from services.smtp import catalogue
from services.smtp.catalogue import OwnReply


async def run(session: Session, envelope: Envelope) -> None:
    """Handle one message up to its outcome. Raise `WireClosed` or `WireTimeout` if the client fails first."""
    transaction = Transaction(session, envelope)
    try:
        await transaction.run()
    finally:
        transaction.close()


class Transaction:
    __slots__ = ("_began", "_envelope", "_intake", "_recipients", "_session", "_tag", "_trace")

    def __init__(self, session: Session, envelope: Envelope) -> None:
        self._session, self._envelope = session, envelope
        self._intake = Intake(session)
        self._began = session.shared.clock.precise()
        self._recipients, self._trace = envelope.addresses, session.trace
        self._tag = ""

    def close(self) -> None:
        self._intake.spool.close()

    async def run(self) -> None:
        self._session.say(catalogue.START_DATA)
        await self._intake.receive()
        outcome = await self._find_outcome()
        self._conclude(outcome)
        if isinstance(outcome, RejectedByContent | RejectedByVerdict):
            await self._reset_server()

    async def _find_outcome(self) -> Outcome:
        if flaw := self._intake.flaw():
            return RejectedByContent(flaw)
        self._note_received()
        rejected = await self._scan()
        if rejected is not None:
            return rejected
        session = self._session
        header = f"X-Postern-Scan: {self._tag}; trace={self._trace}\r\n".encode() if self._tag else b""
        try:
            return await deliver(session.upstream, self._envelope, self._intake.spool, header)
        except StoppedInDoubt:
            self._note_doubt("the gateway was stopped")
            raise

    async def _scan(self) -> RejectedByVerdict | None:
        """Scan the message if required; return the outcome if it is not to be delivered."""
        session, spool = self._session, self._intake.spool
        settings, sender = session.context.settings, self._envelope.sender.address
        client, recipients = session.context.client, self._recipients
        facts = MailFacts(client, sender, recipients, spool.size_bytes, session.is_encrypted)
        if not must_scan(settings.role, session.tenant, facts):
            self._note(MailEvent.SCAN_SKIPPED, {})
            return None
        began = session.shared.clock.precise()
        verdict = await session.shared.scanners.scan(spool, session.tenant.scanners)
        scanned = {
            "verdict": verdict.kind.value,
            "detail": verdict.detail,
            "scanner": verdict.scanner,
            "was_cached": verdict.is_cached,
            "scan_s": round(session.shared.clock.precise() - began, 4),
        }
        self._note(MailEvent.MESSAGE_SCANNED, scanned, verdict)
        judgement = judge(session.tenant, verdict)
        if isinstance(judgement, RejectedByVerdict):
            return judgement
        self._tag = judgement.tag
        return None

    async def _reset_server(self) -> None:
        """Reset the envelope at the server, which has seen nothing else of the message."""
        if self._session.upstream.is_open:
            with suppress(UpstreamLost):  # the next command detects and reports it
                await self._session.upstream.ask(b"RSET")

    # the end

    def _conclude(self, outcome: Outcome) -> None:
        """Send the client its one reply, before anything else, and write the outcome to the journal."""
        match outcome:
            case Delivered() | RejectedByServer():
                self._pass_on(outcome)
            case InDoubt():
                self._session.say(outcome.reply)
                self._note_doubt(outcome.reason)
            case Deferred():
                self._refuse(outcome.reply, outcome.reason)
            case RejectedByVerdict():
                self._refuse(outcome.reply, outcome.verdict.value)
            case RejectedByContent():
                self._refuse(REPLY_BY_FLAW[outcome.flaw], outcome.flaw.value, outcome)

    def _pass_on(self, outcome: Delivered | RejectedByServer) -> None:
        """Pass the server's own reply to the client, byte for byte."""
        session, reply = self._session, outcome.reply
        was_gone = session.client.is_closed
        session.client.write(reply.wire)
        answered = {
            "reply": reply.text,
            "reason": _reason_of(outcome),
            "tag": self._tag,
            "client_was_gone": was_gone,
            "server_tls": session.upstream.is_encrypted,
            "seconds": self._seconds(),
        }
        if isinstance(outcome, Delivered):
            session.limits.forgive_junk()
            self._note(MailEvent.MESSAGE_DELIVERED, answered)
        else:
            is_final = reply.code >= 500
            self._note(MailEvent.MESSAGE_REJECTED if is_final else MailEvent.MESSAGE_DEFERRED, answered)
        session.end_after(reply)

    def _refuse(self, reply: OwnReply, reason: str, observation: Observation | None = None) -> None:
        event = MailEvent.MESSAGE_DEFERRED if reply.is_temporary else MailEvent.MESSAGE_REJECTED
        self._session.say(reply)
        refused = {"reply": str(reply), "reason": reason, "seconds": self._seconds()}
        self._note(event, refused, observation)

    # the journal

    def _note_received(self) -> None:
        session, intake = self._session, self._intake
        received = {
            "sender": self._envelope.sender.address,
            "recipients": self._recipients,
            "size_bytes": intake.spool.size_bytes,
            "sha256": intake.spool.sha256,
            "message_id": intake.message_id,
            "was_normalized": intake.was_normalized,
            "client_tls": session.is_encrypted,
            "server_tls": session.upstream.is_encrypted,
        }
        self._note(MailEvent.MESSAGE_RECEIVED, received)

    def _note_doubt(self, reason: str) -> None:
        """Report what identifies the message: the client will send it again, and the server may have it."""
        spool = self._intake.spool
        doubted = {
            "reason": reason,
            "message_id": self._intake.message_id,
            "sha256": spool.sha256,
            "sent_bytes": spool.size_bytes,
        }
        self._note(MailEvent.DELIVERY_IN_DOUBT, doubted)

    def _note(
        self, event: MailEvent, facts: Mapping[str, object], observation: Observation | None = None
    ) -> None:
        self._session.note(event, {"trace": self._trace, **facts}, observation)

    def _seconds(self) -> float:
        return round(self._session.shared.clock.precise() - self._began, 4)


def _reason_of(outcome: Delivered | RejectedByServer) -> str:
    if isinstance(outcome, RejectedByServer) and outcome.at_data:
        return "the server refused DATA"
    return "the server's own answer"
