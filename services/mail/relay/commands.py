"""The commands of an open session, one function for each.

MAIL and RCPT are relayed live, so the tenant's own refusals reach the sender. What happens to a message is in
`transaction`.
"""

from contextlib import suppress

from services.mail.events import MailEvent
from services.mail.relay import transaction
from services.mail.relay.envelope import Envelope, Recipient
from services.mail.relay.limits import MAX_RECIPIENTS
from services.mail.relay.ports import RecipientRefused
from services.mail.relay.session import Hangup, Session
from services.mail.relay.upstream import QUIT_S, UpstreamLost
from services.mail.settings import ClientTls
from services.smtp import catalogue
from services.smtp.commands import CommandError, Path, Problem, parse_path

_OK = b"250 2.0.0 ok\r\n"


async def mail(session: Session, line: bytes) -> None:
    if not session.has_greeted:
        return session.fail(catalogue.NEED_HELO)
    if session.tenant.tls.clients is ClientTls.REQUIRE and not session.is_encrypted:
        return session.fail(catalogue.NEED_TLS)
    if session.envelope is not None:
        return session.fail(catalogue.NESTED_MAIL)
    path = _parse(session, line)
    if path is None:
        return None
    if path.size_bytes > session.offer.limit_bytes:
        return session.fail(catalogue.TOO_BIG)
    session.messages += 1
    if session.is_deferred:
        session.count_junk()
        return session.say(catalogue.SERVER_UNREACHABLE)
    reply = await session.upstream.ask(line)
    session.pass_on(reply)
    if reply.is_positive:
        session.envelope = Envelope(path, line)
    return None


async def rcpt(session: Session, line: bytes) -> None:
    if session.is_deferred:
        return session.say(catalogue.SERVER_UNREACHABLE)
    envelope = session.envelope
    if envelope is None:
        return session.fail(catalogue.NEED_MAIL)
    if len(envelope.recipients) >= MAX_RECIPIENTS:
        return session.say(catalogue.TOO_MANY_RECIPIENTS)
    path = _parse(session, line)
    if path is None:
        return None
    reply = await session.upstream.ask(line)
    if reply.is_positive:
        envelope.recipients.append(Recipient(path, line))
    else:
        facts = {"trace": session.trace, "recipient": path.address, "reply": reply.text}
        session.note(MailEvent.RECIPIENT_REFUSED, facts, RecipientRefused(reply.code))
    return session.pass_on(reply)


def _parse(session: Session, line: bytes) -> Path | None:
    try:
        return parse_path(line, session.offer.extensions)
    except CommandError as error:
        if error.problem is Problem.CONTROL:
            session.note_violation("control character in a command")
        session.fail(catalogue.BY_PROBLEM[error.problem])
        return None


async def data(session: Session, line: bytes) -> None:
    if line[4:].strip():
        return session.fail(catalogue.BAD_ARGUMENT)
    if session.is_deferred:
        return session.say(catalogue.SERVER_UNREACHABLE)
    envelope = session.envelope
    if envelope is None or not envelope.recipients:
        session.refused_data = True
        return session.fail(catalogue.NEED_RCPT if envelope else catalogue.NEED_MAIL)
    if session.client.buffer:  # RFC 2920, 3.1: DATA ends a group, the client must wait for 354
        raise session.violate(catalogue.SYNC_LOST, "sent data between DATA and 354")
    session.envelope = None
    return await transaction.run(session, envelope)


async def rset(session: Session, line: bytes) -> None:
    session.count_junk()
    session.envelope = None
    if session.is_deferred or not session.upstream.is_open:
        return session.client.write(_OK)
    return session.pass_on(await session.upstream.ask(line))


async def noop(session: Session, _line: bytes) -> None:
    session.count_junk()
    session.client.write(_OK)


async def vrfy(session: Session, _line: bytes) -> None:
    session.count_junk()
    session.say(catalogue.CANNOT_VERIFY)


async def help_(session: Session, _line: bytes) -> None:
    session.count_junk()
    session.say(catalogue.HELP)


async def quit_(session: Session, line: bytes) -> None:
    farewell = catalogue.BYE.encode()
    if session.upstream.is_open:
        with suppress(UpstreamLost):  # the client disconnects, so the server is no longer needed
            farewell = (await session.upstream.ask(line, QUIT_S)).wire
    session.client.write(farewell)
    raise Hangup("quit")


async def bdat(session: Session, _line: bytes) -> None:
    """BDAT is never offered (RFC 3030). Its bytes must not be taken for commands, so the session ends."""
    raise session.violate(catalogue.NOT_IMPLEMENTED, "BDAT was not offered")
