"""Receives one whole message, with limits on size and time, and finds its flaws."""

import re

from services.mail.relay.outcome import ContentFlaw
from services.mail.relay.ports import Spool, SpoolFull
from services.mail.relay.session import Session
from services.smtp import catalogue
from services.smtp.data import DataReceiver, Normalizer

DATA_S = 180.0  # RFC 5321, 4.5.3.2.5
_MIN_BYTES_PER_S = 500
_GRACE_S = 300.0
_MAX_RECEIVED = 100  # RFC 5321, 6.3: loop detection
_HEADER_BYTES = 256 * 1024
_RECEIVED = re.compile(rb"^received:", re.IGNORECASE | re.MULTILINE)
_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r\n[ \t]+)?(<[!-~]{1,250}>)", re.IGNORECASE | re.MULTILINE)


class Intake:
    """Takes one message from the client. Its owner closes the spool."""

    __slots__ = (
        "_began",
        "_is_full",
        "_limit",
        "_normalizer",
        "_receiver",
        "_session",
        "message_id",
        "size_bytes",
        "spool",
    )

    def __init__(self, session: Session) -> None:
        self._session = session
        self._receiver = DataReceiver()
        self._normalizer = Normalizer() if session.tenant.normalizes_newlines else None
        self._limit = session.offer.limit_bytes
        self._began = session.shared.clock.now
        self._is_full = False
        self.spool: Spool = session.shared.new_spool()
        self.size_bytes = 0  # received
        self.message_id = ""

    @property
    def was_normalized(self) -> bool:
        return self._receiver.flaws.bare_newlines > 0

    async def receive(self) -> None:
        """Receive the whole message. Over its limit, nothing is kept; over twice that, the session ends."""
        client, receiver = self._session.client, self._receiver
        while not receiver.is_done:
            if not client.buffer:
                await client.more(DATA_S)
                self._check_rate()
            segment = bytes(client.buffer)
            client.buffer.clear()
            body, rest = receiver.feed(segment)
            if rest:
                client.buffer.extend(rest)
            self._store(body)

    def _store(self, body: bytes) -> None:
        self.size_bytes += len(body)
        if self.size_bytes > 2 * self._limit + 65_536:
            raise self._session.violate(catalogue.TOO_BIG, "message far over its size limit")
        if self.size_bytes > self._limit or self._is_full:
            self.spool.close()
            return
        if self._normalizer is not None:
            body = self._normalizer.feed(body, is_last=self._receiver.is_done)
        try:
            self.spool.write(body)
        except SpoolFull:
            self._is_full = True
            self.spool.close()

    def _check_rate(self) -> None:
        elapsed = self._session.shared.clock.now - self._began
        if elapsed > _GRACE_S and self.size_bytes < _MIN_BYTES_PER_S * (elapsed - _GRACE_S):
            raise self._session.violate(catalogue.TIMED_OUT, "message sent too slowly")

    def flaw(self) -> ContentFlaw | None:
        """Return the flaw for which the message is refused, if any."""
        if self.size_bytes > self._limit:
            return ContentFlaw.TOO_LARGE
        if self._is_full:
            return ContentFlaw.NO_ROOM
        return self._flaw_in_bytes() or self._check_header()

    def _flaw_in_bytes(self) -> ContentFlaw | None:
        tenant, flaws = self._session.tenant, self._receiver.flaws
        if flaws.bare_newlines and not tenant.normalizes_newlines:
            return ContentFlaw.BARE_NEWLINES
        if flaws.nul_bytes and not tenant.passes_nul:
            return ContentFlaw.NUL
        return ContentFlaw.ENDLESS_LINE if flaws.has_endless_line else None

    def _check_header(self) -> ContentFlaw | None:
        header = self._header()
        if len(_RECEIVED.findall(header)) > _MAX_RECEIVED:
            return ContentFlaw.MAIL_LOOP
        if found := _MESSAGE_ID.search(header):
            self.message_id = found[1].decode("ascii")
        return None

    def _header(self) -> bytes:
        """Return the header, or its first part if it is very long."""
        pieces, have = [], 0
        for piece in self.spool.read():
            pieces.append(piece)
            have += len(piece)
            if have >= _HEADER_BYTES:
                break
        head = b"".join(pieces)
        end = head.find(b"\r\n\r\n")
        return head[: end if end >= 0 else _HEADER_BYTES]
