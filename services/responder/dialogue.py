"""A responder's dialogue with one client, from greeting to end. Bytes in, bytes out; no socket, no clock.

The point of refusal decides when senders try again. Senders treat a 421 or 5xx *instead of the greeting*,
or silence, as a failure of the host. After a few failures Postfix marks the whole destination as dead and
defers even mail that it has not tried, for five minutes or more; Exim and Sendmail keep a retry time for
the host. A 4xx *to MAIL* concerns this message alone: the sender queues it and tries the next message at
once, when the pool may be available again (tests/lab/test_empty_pool.py shows this with a real Postfix).
Likewise, a 5xx instead of the greeting counts as a temporary failure (Postfix: `smtp_skip_5xx_greeting`),
while a 5xx to MAIL makes the sender bounce the message, with our text in the bounce.

So the responder greets clients and offers the extensions that they may need before MAIL: a sender bounces a
message with a UTF-8 address or 8-bit content on its own if SMTPUTF8 or 8BITMIME is not offered. The responder
never accepts a message: it implements no RCPT, DATA or BDAT. After the refusal a client can only QUIT: a
sender that kept the session for its next message (Postfix does, under load) would be refused here although
the pool may be available again.
"""

from services.smtp import catalogue
from services.smtp.catalogue import OwnReply, with_trace
from services.smtp.commands import verb_of
from services.smtp.lines import LineError, LineReader

MAX_COMMANDS = 20
PUT_OFF = OwnReply(451, "4.3.2 mail for this address cannot be scanned at the moment, try again later")
REFUSED = OwnReply(554, "5.3.2 mail for this address is refused, mail scanning is out of service")
_SENT_AWAY = OwnReply(421, "4.3.2 closing connection, try again in a new session")
_TOO_MUCH = OwnReply(421, "4.7.0 too many commands")
_HELLO = b"250-postern\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
_FINE = b"250 2.0.0 ok\r\n"
# Message bytes may follow these commands at once and must not be answered as commands.
_LAST_WORDS = frozenset({"DATA", "BDAT"})


class RefusalDialogue:
    """`refusal` is the reply to MAIL; `mail` is the first MAIL command that got it."""

    def __init__(self, refusal: OwnReply, trace: str) -> None:
        self._refusal, self._trace = refusal, trace
        self._buffer, self._lines = bytearray(), LineReader()
        self.commands = 0
        self.mail = b""
        self.is_over = False

    def greet(self) -> bytes:
        return catalogue.GREETING.encode()

    def feed(self, data: bytes) -> bytes:
        """Return the replies to all complete commands. After the end of the session, input is ignored."""
        replies = b""
        self._buffer += data
        while not self.is_over:
            try:
                line = self._lines.take(self._buffer)
                if line is None:
                    return replies
                reply = self._answer(line)
            except LineError:
                reply = self._own(catalogue.BAD_LINE)
            self.commands += 1
            if self.commands >= MAX_COMMANDS and not self.is_over:
                reply = self.end(_TOO_MUCH)
            replies += reply
        self._buffer.clear()
        return replies

    def end(self, reply: OwnReply) -> bytes:
        """End the dialogue and return the last reply."""
        self.is_over = True
        return self._own(reply)

    def _answer(self, line: bytes) -> bytes:
        verb = verb_of(line)
        if verb == "QUIT":
            return self.end(catalogue.BYE)
        if self.mail:
            return self.end(_SENT_AWAY)
        if verb == "MAIL":
            self.mail = line
            return self._own(self._refusal)
        if verb in _LAST_WORDS:
            return self.end(catalogue.NEED_MAIL)
        if verb == "EHLO":
            return _HELLO
        if verb == "HELO":
            return catalogue.HELLO.encode()
        if verb in ("RSET", "NOOP"):
            return _FINE
        return self._own(catalogue.NEED_MAIL if verb == "RCPT" else catalogue.UNKNOWN_COMMAND)

    def _own(self, reply: OwnReply) -> bytes:
        return with_trace(reply, self._trace)
