"""Every reply that the gateway originates: code, enhanced code (RFC 3463), text, trace id.

A 2xx for a message is never among them: those are the tenant's server's own.
"""

from services.smtp.commands import Problem


def _reply(code: int, text: str) -> str:
    return f"{code} {text}"


NO_SUCH_SERVER = _reply(421, "4.3.2 this edge serves no mail server at that address")
SOURCE_REFUSED = _reply(554, "5.7.1 mail from this address is refused")
FULL = _reply(421, "4.3.2 no room for another session, try again later")
TOO_BUSY = _reply(421, "4.7.0 too many connections, try again later")
SHUTTING_DOWN = _reply(421, "4.3.2 the gateway is being restarted, try again")
TIMED_OUT = _reply(421, "4.4.2 too slow, try again later")
SYNC_LOST = _reply(554, "5.5.0 protocol synchronization lost: speak after being asked")
TOO_MANY_ERRORS = _reply(421, "4.7.0 too many errors")
BAD_LINE = _reply(500, "5.5.2 a line must end with CRLF, hold no NUL, and be no longer than allowed")
UNKNOWN_COMMAND = _reply(500, "5.5.1 command unknown")
NOT_IMPLEMENTED = _reply(502, "5.5.1 command not offered")
BAD_ARGUMENT = _reply(501, "5.5.4 this command takes another argument")
NEED_HELO = _reply(503, "5.5.1 send EHLO or HELO first")
NEED_MAIL = _reply(503, "5.5.1 send MAIL first")
NEED_RCPT = _reply(503, "5.5.1 no recipient has been accepted")
NESTED_MAIL = _reply(503, "5.5.1 a transaction is open already")
OUT_OF_ORDER = _reply(503, "5.5.1 not now")
NEED_TLS = _reply(530, "5.7.0 send STARTTLS first")
READY_FOR_TLS = "220 2.0.0 ready to start TLS"
START_DATA = "354 end data with <CR><LF>.<CR><LF>"
CANNOT_VERIFY = "252 2.5.2 send some mail, it will be tried"
HELP = "214 2.0.0 see RFC 5321"
BYE = "221 2.0.0 bye"
TOO_BIG = _reply(552, "5.3.4 message is larger than this server takes")
TOO_MANY_RECIPIENTS = _reply(452, "4.5.3 too many recipients in one transaction")
DISK_FULL = _reply(452, "4.3.1 no room to take the message, try again later")
BARE_NEWLINE = _reply(550, "5.6.11 message holds a lone CR or LF")
NUL_BYTE = _reply(550, "5.6.0 message holds a NUL")
ENDLESS_LINE = _reply(550, "5.6.0 message holds a line without end")
MAIL_LOOP = _reply(554, "5.4.6 too many hops: this mail is going round in circles")
SERVER_UNREACHABLE = _reply(451, "4.4.1 the recipient's own server cannot be reached, try again later")
SERVER_LOST = _reply(451, "4.4.2 the recipient's own server went away, try again later")
SERVER_CONFUSED = _reply(451, "4.3.0 the recipient's own server gave an answer that makes no sense")
SERVER_NEEDS_TLS = _reply(451, "4.7.5 no encrypted way to the recipient's own server")
ENVELOPE_CHANGED = _reply(451, "4.4.2 the recipient's own server changed its mind, try again later")
IN_DOUBT = _reply(451, "4.4.2 the recipient's own server went away before it confirmed, try again later")
NOT_SCANNED = _reply(451, "4.7.1 the message cannot be scanned at the moment, try again later")

BY_PROBLEM = {
    Problem.SYNTAX: _reply(501, "5.5.4 address or parameters not understood"),
    Problem.TOO_LONG: _reply(501, "5.1.7 address too long"),
    Problem.UNKNOWN_PARAMETER: _reply(555, "5.5.4 parameter not offered"),
    Problem.BAD_PARAMETER: _reply(501, "5.5.4 parameter not understood"),
    Problem.NOT_ASCII: _reply(553, "5.6.7 address is not ASCII, and SMTPUTF8 was not offered"),
    Problem.CONTROL: _reply(501, "5.5.2 control character in a command"),
}


def refused_content(verdict: str, signature: str) -> str:
    what = (
        f"malware found: {signature}"
        if verdict == "infected"
        else f"content refused ({verdict}): {signature}"
    )
    return _reply(550, f"5.7.1 {what}")


def deferred_content(verdict: str) -> str:
    return _reply(451, f"4.7.1 message not taken now ({verdict}), try again later")


def with_trace(reply: str, trace: str) -> bytes:
    """Return the reply as a wire line; a refusal carries the trace id."""
    suffix = f" [{trace}]" if reply[0] in "45" else ""
    return f"{reply}{suffix}\r\n".encode("ascii", "replace")
