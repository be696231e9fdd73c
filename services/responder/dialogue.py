"""What a responder says to one client, from greeting to end. Bytes in, bytes out; no socket, no clock.

Where to refuse decides when mail comes back. A 421 or 5xx *instead of the greeting*, or silence, is
a failure of the host: Postfix, after a few, holds the whole destination for dead and puts off mail
that it has not even tried, for five minutes and more; Exim and Sendmail keep a retry time for the
host. A 4xx *to MAIL* is about this message alone: it is kept and tried again, and the next message is
tried at once, which may be when the pool takes mail again (tests/lab/test_empty_pool.py shows it with
a real Postfix). Likewise a 5xx instead of the greeting is taken for a passing trouble (Postfix:
`smtp_skip_5xx_greeting`), while a 5xx to MAIL is what makes a sender bounce, with our text in the bounce.

So clients are greeted, and offered what spares them from giving up before MAIL: a sender of a
message with a UTF-8 address, or with eight bits, bounces it by itself where SMTPUTF8 or 8BITMIME is
not offered. Nothing is ever taken: there is no RCPT, no DATA, no BDAT. Who has heard the refusal may
only take leave: a sender that kept the session for its next message (Postfix does, under load) would
be refused here while the pool takes mail again.
"""

from services.smtp import catalogue
from services.smtp.catalogue import with_trace
from services.smtp.commands import verb_of
from services.smtp.lines import LineError, LineReader

MAX_COMMANDS = 20
PUT_OFF = "451 4.3.2 mail for this address cannot be checked at the moment, try again later"
REFUSED = "554 5.3.2 mail for this address is refused: what has to check it is out of service"
_SENT_AWAY = "421 4.3.2 no more in this session, try again in a new one"
_TOO_MUCH = "421 4.7.0 too many commands"
_HELLO = b"250-postern\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
_FINE = b"250 2.0.0 ok\r\n"
_GREETING = b"220 postern ESMTP\r\n"
# Bytes of a message may follow these at once; they must not be answered as commands.
_LAST_WORDS = frozenset({"DATA", "BDAT"})


class RefusalDialogue:
    """`refusal` is the reply to MAIL; `mail` the command that first heard it."""

    def __init__(self, refusal: str, trace: str) -> None:
        self._refusal, self._trace = refusal, trace
        self._buffer, self._lines = bytearray(), LineReader()
        self.commands = 0
        self.mail = b""
        self.is_over = False

    def greet(self) -> bytes:
        return _GREETING

    def feed(self, data: bytes) -> bytes:
        """Return the replies to all commands that are whole now; once it is over, nothing is heard."""
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

    def end(self, reply: str) -> bytes:
        """Return a reply after which nothing is heard any more."""
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
            return b"250 postern\r\n"
        if verb in ("RSET", "NOOP"):
            return _FINE
        return self._own(catalogue.NEED_MAIL if verb == "RCPT" else catalogue.UNKNOWN_COMMAND)

    def _own(self, reply: str) -> bytes:
        return with_trace(reply, self._trace)
