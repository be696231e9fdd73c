"""The start of a session: the server's greeting, EHLO or HELO, STARTTLS."""

from services.mail.events import MailEvent
from services.mail.relay import capabilities
from services.mail.relay.ports import HandshakeFailed
from services.mail.relay.session import Hangup, Session
from services.mail.relay.upstream import UpstreamLost
from services.smtp import catalogue

HANDSHAKE_S = 20.0


async def greet(session: Session) -> None:
    """Let the tenant's server greet first, so that the client gets the server's own refusal."""
    _check_silence(session)
    try:
        greeting = await session.upstream.open()
    except UpstreamLost as lost:
        session.is_deferred = True
        session.note(MailEvent.SERVER_UNREACHABLE, {"reason": str(lost)})
        session.say(catalogue.GREETING)
        return
    _check_silence(session)
    session.client.write(greeting.wire)
    if not greeting.is_positive:
        raise Hangup(f"refused by the server: {greeting.text}")


def _check_silence(session: Session) -> None:
    if session.client.buffer:
        raise session.violate(catalogue.SYNC_LOST, "sent data before the greeting")


async def hello(session: Session, line: bytes) -> None:
    if not line[5:].strip() or not line.isascii():
        return session.fail(catalogue.BAD_ARGUMENT)
    if session.has_greeted or session.upstream.hello:  # not the first
        session.count_junk()
    session.envelope = None
    if session.is_deferred:
        session.has_greeted = True
        return session.say(catalogue.HELLO)
    reply = await session.upstream.say_hello(line)
    if not reply.is_positive:
        return session.pass_on(reply)
    session.forget_hello()
    session.has_greeted = True
    if line[:4].upper() == b"HELO":
        return session.client.write(reply.wire)
    session.offer = capabilities.offer_of(
        session.upstream.announced,
        session.tenant.message_limit_bytes,
        session.context.has_starttls and not session.is_encrypted,
    )
    return session.client.write(session.offer.encode(reply.first_line))


async def starttls(session: Session, line: bytes) -> None:
    if line[8:].strip():
        return session.fail(catalogue.BAD_ARGUMENT)
    can_begin = session.context.has_starttls and not session.is_encrypted and session.envelope is None
    if not can_begin or not session.has_greeted:
        return session.fail(catalogue.OUT_OF_ORDER)
    if session.client.buffer:  # plain text that would be taken for encrypted (CVE-2011-0411)
        raise session.violate(None, "plaintext after STARTTLS")
    session.say(catalogue.READY_FOR_TLS)
    try:
        cipher = await session.client.encrypt(HANDSHAKE_S)
    except HandshakeFailed as error:
        raise Hangup(f"TLS handshake failed: {error}") from error
    session.is_encrypted = True
    session.forget_hello()
    session.note(MailEvent.SESSION_ENCRYPTED, {"cipher": cipher})
    return None
