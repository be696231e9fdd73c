"""Every reply that the gateway originates: code, enhanced code (RFC 3463), text, trace id.

A 2xx for a message is never among them: those are the tenant's server's own.
"""

from dataclasses import dataclass

from services.smtp.commands import Problem


@dataclass(frozen=True, slots=True)
class OwnReply:
    """A reply of one line that Postern itself gives. `text`: with the enhanced code, if there is one."""

    code: int
    text: str

    @property
    def is_temporary(self) -> bool:
        return 400 <= self.code < 500

    def __str__(self) -> str:
        return f"{self.code} {self.text}"

    def encode(self) -> bytes:
        """Return the reply as a wire line."""
        return f"{self.code} {self.text}\r\n".encode("ascii", "replace")


OWN_NAME = "postern"  # in replies that no tenant's server gives

GREETING = OwnReply(220, f"{OWN_NAME} ESMTP")
HELLO = OwnReply(250, OWN_NAME)
NO_SUCH_SERVER = OwnReply(421, "4.3.2 no mail service at this address")
SOURCE_REFUSED = OwnReply(554, "5.7.1 client address rejected, access denied")
FULL = OwnReply(421, "4.3.2 too many concurrent sessions, try again later")
TOO_BUSY = OwnReply(421, "4.7.0 too many connections, try again later")
SHUTTING_DOWN = OwnReply(421, "4.3.2 service shutting down, try again later")
TIMED_OUT = OwnReply(421, "4.4.2 timeout exceeded, closing connection")
SYNC_LOST = OwnReply(554, "5.5.0 improper command pipelining")
TOO_MANY_ERRORS = OwnReply(421, "4.7.0 too many errors")
BAD_LINE = OwnReply(500, "5.5.2 syntax error, line too long or with bare CR, bare LF or NUL")
UNKNOWN_COMMAND = OwnReply(500, "5.5.1 command unrecognized")
NOT_IMPLEMENTED = OwnReply(502, "5.5.1 command not implemented")
BAD_ARGUMENT = OwnReply(501, "5.5.4 syntax error in arguments")
NEED_HELO = OwnReply(503, "5.5.1 send EHLO or HELO first")
NEED_MAIL = OwnReply(503, "5.5.1 need MAIL command")
NEED_RCPT = OwnReply(503, "5.5.1 no valid recipients")
NESTED_MAIL = OwnReply(503, "5.5.1 nested MAIL command")
OUT_OF_ORDER = OwnReply(503, "5.5.1 command out of sequence")
NEED_TLS = OwnReply(530, "5.7.0 must issue a STARTTLS command first")
READY_FOR_TLS = OwnReply(220, "2.0.0 ready to start TLS")
START_DATA = OwnReply(354, "end data with <CR><LF>.<CR><LF>")
CANNOT_VERIFY = OwnReply(252, "2.0.0 cannot VRFY user, will attempt delivery")
HELP = OwnReply(214, "2.0.0 see RFC 5321")
BYE = OwnReply(221, "2.0.0 bye")
TOO_BIG = OwnReply(552, "5.3.4 message size exceeds fixed limit")
TOO_MANY_RECIPIENTS = OwnReply(452, "4.5.3 too many recipients")
DISK_FULL = OwnReply(452, "4.3.1 insufficient system storage, try again later")
BARE_NEWLINE = OwnReply(550, "5.6.11 bare CR or bare LF in message")
NUL_BYTE = OwnReply(550, "5.6.0 NUL character in message")
ENDLESS_LINE = OwnReply(550, "5.6.0 line too long in message")
MAIL_LOOP = OwnReply(554, "5.4.6 mail forwarding loop, too many hops")
SERVER_UNREACHABLE = OwnReply(451, "4.4.1 cannot connect to the recipient's mail server, try again later")
SERVER_LOST = OwnReply(451, "4.4.2 lost connection with the recipient's mail server, try again later")
SERVER_CONFUSED = OwnReply(451, "4.5.0 invalid reply from the recipient's mail server, try again later")
SERVER_NEEDS_TLS = OwnReply(451, "4.7.5 TLS to the recipient's mail server is required and not available")
ENVELOPE_CHANGED = OwnReply(
    451, "4.4.2 lost connection with the recipient's mail server before end of data, try again later"
)
IN_DOUBT = OwnReply(
    451, "4.4.2 lost connection with the recipient's mail server after end of data, try again later"
)
NOT_SCANNED = OwnReply(451, "4.7.1 message cannot be scanned at the moment, try again later")

BY_PROBLEM = {
    Problem.SYNTAX: OwnReply(501, "5.5.4 syntax error in address or parameters"),
    Problem.TOO_LONG: OwnReply(501, "5.5.4 path too long"),
    Problem.UNKNOWN_PARAMETER: OwnReply(555, "5.5.4 parameter not recognized or not implemented"),
    Problem.BAD_PARAMETER: OwnReply(501, "5.5.4 syntax error in parameter"),
    Problem.NOT_ASCII: OwnReply(553, "5.6.7 non-ASCII address not permitted without SMTPUTF8"),
    Problem.CONTROL: OwnReply(501, "5.5.2 control character in command"),
}


def malware_found(signature: str) -> OwnReply:
    return OwnReply(550, f"5.7.1 malware found: {signature}")


def refused_content(verdict: str, signature: str) -> OwnReply:
    return OwnReply(550, f"5.7.1 content rejected ({verdict}): {signature}")


def deferred_content(verdict: str) -> OwnReply:
    return OwnReply(451, f"4.7.1 message deferred ({verdict}), try again later")


def with_trace(reply: OwnReply, trace: str) -> bytes:
    """Return the reply as a wire line; a refusal carries the trace id."""
    if reply.code < 400:
        return reply.encode()
    return f"{reply.code} {reply.text} [{trace}]\r\n".encode("ascii", "replace")
