"""One session with one client, from its first packet to its last: commands in order, replies in order."""

from collections.abc import Awaitable, Callable

from services.mail.events import MailEvent
from services.mail.relay import commands, greeting
from services.mail.relay.ports import SessionStopped, WireClosed, WireTimeout
from services.mail.relay.session import Hangup, Session
from services.mail.relay.upstream import NoEncryption, ServerEnded, UpstreamLost
from services.smtp import catalogue
from services.smtp.lines import LineError

COMMAND_S = 300.0  # RFC 5321, 4.5.3.2.7
WRITE_S = 60.0
_HANDLERS: dict[bytes, Callable[[Session, bytes], Awaitable[None]]] = {
    b"EHLO": greeting.hello,
    b"HELO": greeting.hello,
    b"STARTTLS": greeting.starttls,
    b"MAIL": commands.mail,
    b"RCPT": commands.rcpt,
    b"DATA": commands.data,
    b"RSET": commands.rset,
    b"NOOP": commands.noop,
    b"VRFY": commands.vrfy,
    b"HELP": commands.help_,
    b"QUIT": commands.quit_,
    b"BDAT": commands.bdat,
}
_NOT_OFFERED = frozenset(
    {b"AUTH", b"EXPN", b"ETRN", b"XCLIENT", b"XFORWARD", b"BURL", b"TURN", b"SEND", b"SOML", b"SAML"}
)


async def hold(session: Session) -> None:
    """Run the whole dialogue. Never raises for anything that a peer does."""
    session.note(MailEvent.SESSION_OPENED, {})
    reason = "unexpected error of the gateway"
    try:
        await _converse(session)
    except Hangup as hangup:
        reason = str(hangup)
        if hangup.reply:
            session.say(hangup.reply)
    except WireTimeout:
        reason = "timed out"
        session.say(catalogue.TIMED_OUT)
    except WireClosed:
        reason = "client went away"
    except SessionStopped:
        reason = "the gateway was stopped"
        session.say(catalogue.SHUTTING_DOWN)
    finally:
        session.upstream.close()
        facts = {"reason": reason, "messages": session.messages, "tls": session.is_encrypted}
        session.note(MailEvent.SESSION_CLOSED, facts)


async def _converse(session: Session) -> None:
    """Answer one command after the other, until one of the exceptions that end a session."""
    await greeting.greet(session)
    client, buffer, lines = session.client, session.client.buffer, session.lines
    clock, due = session.shared.clock, 0.0  # when the whole of the next line must be there; 0: not waited for
    while True:
        if not client.may_write:
            await client.drain(WRITE_S)
        try:
            line = lines.take(buffer)
        except LineError as error:
            due = 0.0
            _refuse_line(session, error)
            continue
        if line is None:
            due = due or clock.now + COMMAND_S
            await client.more(due - clock.now)
            continue
        due = 0.0
        verb = line.partition(b" ")[0]
        handler = _HANDLERS.get(verb) or _HANDLERS.get(verb.upper())
        if handler is None:
            _refuse_command(session, verb)
            continue
        session.refused_data = False
        try:
            await handler(session, line)
        except UpstreamLost as lost:
            _lose_server(session, lost)


def _refuse_line(session: Session, error: LineError) -> None:
    session.note_violation(str(error))
    session.fail(catalogue.BAD_LINE)


def _refuse_command(session: Session, verb: bytes) -> None:
    """Refuse a verb that is unknown or not offered. It may be a message, sent although DATA was refused."""
    is_known = verb.upper() in _NOT_OFFERED
    if session.refused_data and not is_known:
        raise session.violate(catalogue.SYNC_LOST, "message bytes without 354")
    session.refused_data = False
    session.fail(catalogue.NOT_IMPLEMENTED if is_known else catalogue.UNKNOWN_COMMAND)


def _lose_server(session: Session, lost: UpstreamLost) -> None:
    """Report that the server is lost. If only its required TLS is missing, the session defers all mail."""
    session.envelope = None
    session.note(MailEvent.SERVER_UNREACHABLE, {"reason": str(lost)})
    if isinstance(lost, ServerEnded):
        session.pass_on(lost.last)
    session.say(lost.reply)
    if not isinstance(lost, NoEncryption):
        raise Hangup(str(lost)) from lost
    session.is_deferred = True
