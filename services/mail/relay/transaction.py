"""One message: receive all of it, look at it, have it scanned, and only then offer it to the server.

The order is the guarantee. DATA towards the tenant's server begins after the
verdict, so a refused message never has a final dot; a 2xx is only ever the
server's own, written to the client at once.
"""

import re
import time
from typing import TYPE_CHECKING

from services.base.clamd import Verdict, VerdictKind
from services.mail.events import MailEvent as Event
from services.mail.io.wire import WireClosed
from services.mail.relay import capabilities
from services.mail.relay.envelope import Envelope
from services.mail.relay.upstream import NoEncryption, UpstreamLost
from services.mail.scanning import MailFacts, disposition_of, must_scan
from services.mail.settings import Disposition
from services.mail.spool import Spool, SpoolFull
from services.smtp import catalogue
from services.smtp.data import DataReceiver, normalize
from services.smtp.replies import Reply

if TYPE_CHECKING:
    from services.mail.relay.session import Session

DATA_S = 180.0  # RFC 5321, 4.5.3.2.5
_MIN_BYTES_PER_S = 500
_GRACE_S = 300.0
_MAX_RECEIVED = 100  # RFC 5321, 6.3: loops end somewhere
_HEADER_BYTES = 256 * 1024
_RECEIVED = re.compile(rb"^received:", re.IGNORECASE | re.MULTILINE)
_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r\n[ \t]+)?(<[!-~]{1,250}>)", re.IGNORECASE | re.MULTILINE)


class Transaction:
    def __init__(self, session: "Session", envelope: Envelope) -> None:
        self._session, self._envelope = session, envelope
        self._receiver = DataReceiver()
        self._spool = Spool(session.settings.state_dir)
        self._limit = capabilities.size_limit(session.offer, session.tenant)
        self._received_bytes = 0
        self._is_full = False
        self._began = time.monotonic()
        self._message_id = ""

    async def run(self) -> None:
        try:
            self._session.say(catalogue.START_DATA)
            await self._receive()
            refusal = self._refusal()
            if refusal:
                await self._refuse(Event.MESSAGE_REJECTED, refusal, "content")
                return
            self._note_received()
            tag = await self._judge()
            if tag is not None:
                await self._deliver(tag)
        finally:
            self._spool.close()

    # receiving

    async def _receive(self) -> None:
        """Take the message whole. Past its limit nothing is kept, past twice the limit the client is left."""
        wire = self._session.wire
        while not self._receiver.is_done:
            if not wire.buffer:
                await wire.more(DATA_S)
                self._check_rate()
            segment = bytes(wire.buffer)
            wire.buffer.clear()
            body, rest = self._receiver.feed(segment)
            wire.buffer += rest
            self._store(body)

    def _store(self, body: bytes) -> None:
        self._received_bytes += len(body)
        if self._received_bytes > 2 * self._limit + 65_536:
            raise self._session.violate(catalogue.TOO_BIG, "message far past its limit")
        if self._received_bytes > self._limit or self._is_full:
            self._spool.close()
            return
        try:
            self._spool.write(body)
        except SpoolFull:
            self._is_full = True
            self._spool.close()

    def _check_rate(self) -> None:
        elapsed = time.monotonic() - self._began
        if elapsed > _GRACE_S and self._received_bytes < _MIN_BYTES_PER_S * (elapsed - _GRACE_S):
            raise self._session.violate(catalogue.TIMED_OUT, "message sent too slowly")

    def _refusal(self) -> str:
        """Return our reply for a message that is refused for what it is made of, or nothing."""
        tenant, flaws = self._session.tenant, self._receiver.flaws
        if self._received_bytes > self._limit:
            return catalogue.TOO_BIG
        if self._is_full:
            return catalogue.DISK_FULL
        if flaws.bare_newlines and not tenant.normalizes_newlines:
            return catalogue.BARE_NEWLINE
        if flaws.nul_bytes and not tenant.passes_nul:
            return catalogue.NUL_BYTE
        if flaws.has_endless_line:
            return catalogue.ENDLESS_LINE
        header = self._spool.head(_HEADER_BYTES).partition(b"\r\n\r\n")[0]
        if len(_RECEIVED.findall(header)) > _MAX_RECEIVED:
            return catalogue.MAIL_LOOP
        if found := _MESSAGE_ID.search(header):
            self._message_id = found[1].decode("ascii")
        if flaws.bare_newlines:
            self._normalize()
        return ""

    def _normalize(self) -> None:
        whole = normalize(b"".join(self._spool.read()))
        self._spool.close()
        self._spool = Spool(self._session.settings.state_dir)
        self._spool.write(whole)

    def _note_received(self) -> None:
        self._note(
            Event.MESSAGE_RECEIVED,
            sender=self._envelope.sender.address,
            recipients=self._envelope.addresses,
            size_bytes=self._spool.size_bytes,
            sha256=self._spool.sha256,
            message_id=self._message_id,
            was_normalized=bool(self._receiver.flaws.bare_newlines),
            client_tls=self._session.is_encrypted,
            server_tls=self._session.upstream.is_encrypted,
        )

    # judging

    async def _judge(self) -> str | None:
        """Return the tag to deliver with (empty: none), or None when the message was refused."""
        session = self._session
        facts = MailFacts(
            session.client[0],
            self._envelope.sender.address,
            self._envelope.addresses,
            self._spool.size_bytes,
            session.is_encrypted,
        )
        if not must_scan(session.settings.role, session.tenant, facts):
            self._note(Event.SCAN_SKIPPED)
            return ""
        began = time.monotonic()
        verdict = await session.around.scanners.scan(self._spool, session.tenant.scanners)
        self._note(
            Event.MESSAGE_SCANNED,
            verdict=verdict.kind.value,
            detail=verdict.detail,
            scanner=verdict.scanner,
            was_cached=verdict.is_cached,
            scan_s=round(time.monotonic() - began, 4),
        )
        return await self._dispose(verdict)

    async def _dispose(self, verdict: Verdict) -> str | None:
        match disposition_of(self._session.tenant, verdict):
            case None:
                return ""
            case Disposition.PASS_TAGGED:
                return f"not-scanned reason={verdict.kind.value}"
            case Disposition.REJECT:
                reply = catalogue.refused_content(verdict.kind.value, verdict.detail)
                await self._refuse(Event.MESSAGE_REJECTED, reply, verdict.kind.value)
            case Disposition.TEMPFAIL:
                is_away = verdict.kind is VerdictKind.UNAVAILABLE
                reply = catalogue.NOT_SCANNED if is_away else catalogue.deferred_content(verdict.kind.value)
                await self._refuse(Event.MESSAGE_DEFERRED, reply, verdict.kind.value)
        return None

    async def _refuse(self, event: Event, reply: str, why: str) -> None:
        """Tell the client, then have the server forget the envelope; it has seen nothing else."""
        event = Event.MESSAGE_DEFERRED if reply[0] == "4" else event
        self._note(event, reply=reply, reason=why, seconds=self._seconds())
        self._session.say(reply)
        if not self._session.upstream.is_open:
            return
        try:
            await self._session.upstream.ask(b"RSET")
        except UpstreamLost:
            return  # the next command finds out, and says so

    # delivering

    async def _deliver(self, tag: str) -> None:
        try:
            if not self._session.upstream.is_open and not await self._replay():
                return
            opened = await self._open_data()
        except NoEncryption as lost:
            self._defer(catalogue.SERVER_NEEDS_TLS, lost.reason)
            return
        except UpstreamLost as lost:
            self._defer(catalogue.SERVER_CONFUSED if lost.is_confused else catalogue.SERVER_LOST, lost.reason)
            return
        if opened.code != 354:
            self._pass_on(opened, "the server refused DATA")
            return
        await self._send_message(tag)

    async def _open_data(self) -> Reply:
        """Ask for DATA; a connection that went away while we scanned is made again, once."""
        try:
            return await self._session.upstream.ask(b"DATA")
        except UpstreamLost as lost:
            if lost.is_confused or not await self._replay():
                raise
            return await self._session.upstream.ask(b"DATA")

    async def _replay(self) -> bool:
        """Offer the same envelope on a new connection. Any other answer than before is a 451."""
        upstream = self._session.upstream
        upstream.close()
        greeting = await upstream.open()
        replies = [greeting] if not greeting.is_positive else [await upstream.say_hello(upstream.hello)]
        if replies[-1].is_positive:
            for line in (self._envelope.line, *(recipient.line for recipient in self._envelope.recipients)):
                replies.append(await upstream.ask(line))
        changed = next((reply for reply in replies if not reply.is_positive), None)
        if changed is None:
            return True
        upstream.close()
        self._defer(catalogue.ENVELOPE_CHANGED, f"answered otherwise the second time: {changed.text}")
        return False

    async def _send_message(self, tag: str) -> None:
        """Send the message and its dot; from the dot to the reply the outcome is unknown."""
        upstream = self._session.upstream
        has_ended = False
        try:
            if tag:
                await upstream.send(f"X-Postern-Scan: {tag}; trace={self._session.trace}\r\n".encode())
            held = b""  # one piece behind, so that the dot travels with the last one
            for piece in self._spool.read():
                if held:
                    await upstream.send(held)
                held = piece
            has_ended = True
            await upstream.send(held + b".\r\n")
            reply = await upstream.final_reply()
        except UpstreamLost as lost:
            if has_ended:
                self._in_doubt(lost)
            else:
                self._defer(catalogue.SERVER_LOST, lost.reason)
            return
        if reply.is_intermediate:
            upstream.close()
            self._defer(catalogue.SERVER_CONFUSED, f"intermediate reply to the message: {reply.text}")
            return
        self._pass_on(reply, "the server's own answer", tag)

    def _pass_on(self, reply: Reply, why: str, tag: str = "") -> None:
        """Give the server's own reply to the client, byte for byte, before anything else."""
        if reply.is_intermediate or (reply.is_positive and why != "the server's own answer"):
            self._session.upstream.close()
            self._defer(catalogue.SERVER_CONFUSED, f"answered {reply.code} at the wrong place")
            return
        is_lost = self._session.wire.is_closed
        self._session.wire.write(reply.wire)
        if reply.is_positive:
            event = Event.MESSAGE_DELIVERED
        else:
            event = Event.MESSAGE_REJECTED if reply.code >= 500 else Event.MESSAGE_DEFERRED
        self._note(
            event,
            reply=reply.text,
            reason=why,
            tag=tag,
            client_was_gone=is_lost,
            server_tls=self._session.upstream.is_encrypted,
            seconds=self._seconds(),
        )
        if is_lost:
            raise WireClosed

    def _in_doubt(self, lost: UpstreamLost) -> None:
        """The server may have the message or not: say 451, so that the client sends it again."""
        self._note(
            Event.DELIVERY_IN_DOUBT,
            reason=lost.reason,
            message_id=self._message_id,
            sha256=self._spool.sha256,
            sent_bytes=self._spool.size_bytes,
        )
        self._session.say(catalogue.IN_DOUBT)

    def _defer(self, reply: str, why: str) -> None:
        self._note(Event.MESSAGE_DEFERRED, reply=reply, reason=why, seconds=self._seconds())
        self._session.say(reply)

    def _note(self, event: Event, **facts: object) -> None:
        self._session.note(event, trace=self._session.trace, **facts)

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 4)
