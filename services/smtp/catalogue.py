"""Every reply that the gateway originates: code, enhanced code (RFC 3463), text, trace id.

A 2xx for a message is never among them: those are the tenant's server's own.
"""

from services.smtp.commands import Problem


def _reply(code: int, text: str) -> str:
    return f"{code} {text}"


NO_SUCH_SERVER = _reply(421, "4.3.2 no mail service at this address")
SOURCE_REFUSED = _reply(554, "5.7.1 client address rejected, access denied")
FULL = _reply(421, "4.3.2 too many concurrent sessions, try again later")
TOO_BUSY = _reply(421, "4.7.0 too many connections, try again later")
SHUTTING_DOWN = _reply(421, "4.3.2 service shutting down, try again later")
TIMED_OUT = _reply(421, "4.4.2 timeout exceeded, closing connection")
SYNC_LOST = _reply(554, "5.5.0 improper command pipelining")
TOO_MANY_ERRORS = _reply(421, "4.7.0 too many errors")
BAD_LINE = _reply(500, "5.5.2 syntax error, line too long or with bare CR, bare LF or NUL")
UNKNOWN_COMMAND = _reply(500, "5.5.1 command unrecognized")
NOT_IMPLEMENTED = _reply(502, "5.5.1 command not implemented")
BAD_ARGUMENT = _reply(501, "5.5.4 syntax error in arguments")
NEED_HELO = _reply(503, "5.5.1 send EHLO or HELO first")
NEED_MAIL = _reply(503, "5.5.1 need MAIL command")
NEED_RCPT = _reply(503, "5.5.1 no valid recipients")
NESTED_MAIL = _reply(503, "5.5.1 nested MAIL command")
OUT_OF_ORDER = _reply(503, "5.5.1 command out of sequence")
NEED_TLS = _reply(530, "5.7.0 must issue a STARTTLS command first")
READY_FOR_TLS = "220 2.0.0 ready to start TLS"
START_DATA = "354 end data with <CR><LF>.<CR><LF>"
CANNOT_VERIFY = "252 2.0.0 cannot VRFY user, will attempt delivery"
HELP = "214 2.0.0 see RFC 5321"
BYE = "221 2.0.0 bye"
TOO_BIG = _reply(552, "5.3.4 message size exceeds fixed limit")
TOO_MANY_RECIPIENTS = _reply(452, "4.5.3 too many recipients")
DISK_FULL = _reply(452, "4.3.1 insufficient system storage, try again later")
BARE_NEWLINE = _reply(550, "5.6.11 bare CR or bare LF in message")
NUL_BYTE = _reply(550, "5.6.0 NUL character in message")
ENDLESS_LINE = _reply(550, "5.6.0 line too long in message")
MAIL_LOOP = _reply(554, "5.4.6 mail forwarding loop, too many hops")
SERVER_UNREACHABLE = _reply(451, "4.4.1 cannot connect to the recipient's mail server, try again later")
SERVER_LOST = _reply(451, "4.4.2 lost connection with the recipient's mail server, try again later")
SERVER_CONFUSED = _reply(451, "4.5.0 invalid reply from the recipient's mail server, try again later")
SERVER_NEEDS_TLS = _reply(451, "4.7.5 TLS to the recipient's mail server is required and not available")
ENVELOPE_CHANGED = _reply(
    451, "4.4.2 lost connection with the recipient's mail server before end of data, try again later"
)
IN_DOUBT = _reply(
    451, "4.4.2 lost connection with the recipient's mail server after end of data, try again later"
)
NOT_SCANNED = _reply(451, "4.7.1 message cannot be scanned at the moment, try again later")

BY_PROBLEM = {
    Problem.SYNTAX: _reply(501, "5.5.4 syntax error in address or parameters"),
    Problem.TOO_LONG: _reply(501, "5.5.4 path too long"),
    Problem.UNKNOWN_PARAMETER: _reply(555, "5.5.4 parameter not recognized or not implemented"),
    Problem.BAD_PARAMETER: _reply(501, "5.5.4 syntax error in parameter"),
    Problem.NOT_ASCII: _reply(553, "5.6.7 non-ASCII address not permitted without SMTPUTF8"),
    Problem.CONTROL: _reply(501, "5.5.2 control character in command"),
}


def refused_content(verdict: str, signature: str) -> str:
    what = (
        f"malware found: {signature}"
        if verdict == "infected"
        else f"content rejected ({verdict}): {signature}"
    )
    return _reply(550, f"5.7.1 {what}")


def deferred_content(verdict: str) -> str:
    return _reply(451, f"4.7.1 message deferred ({verdict}), try again later")


def with_trace(reply: str, trace: str) -> bytes:
    """Return the reply as a wire line; a refusal carries the trace id."""
    suffix = f" [{trace}]" if reply[0] in "45" else ""
    return f"{reply}{suffix}\r\n".encode("ascii", "replace")
