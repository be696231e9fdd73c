"""Delivers one scanned message to the tenant's server. From the dot to the reply the outcome is unknown."""

from services.mail.relay.envelope import Envelope
from services.mail.relay.outcome import Deferred, Delivered, InDoubt, RejectedByServer
from services.mail.relay.ports import SessionStopped, Spool
from services.mail.relay.upstream import ServerConfused, Upstream, UpstreamLost
from services.smtp import catalogue
from services.smtp.replies import Reply

ServerOutcome = Delivered | RejectedByServer | Deferred | InDoubt


class _EnvelopeChanged(Exception):
    """The server does not accept the same envelope again."""


class StoppedInDoubt(SessionStopped):
    """The gateway ends the session after the dot and before the server's reply."""


async def deliver(upstream: Upstream, envelope: Envelope, spool: Spool, header: bytes) -> ServerOutcome:
    """Offer the message, after our header line if there is one. Raise `StoppedInDoubt`."""
    try:
        if not upstream.is_open:
            await _replay(upstream, envelope)
        opened = await _open_data(upstream, envelope)
        if opened.code != 354:
            return RejectedByServer(opened, at_data=True)
        await _send(upstream, spool, header)
    except _EnvelopeChanged as changed:
        return Deferred(catalogue.ENVELOPE_CHANGED, str(changed))
    except UpstreamLost as lost:
        return Deferred(lost.reply, str(lost))
    return await _await_outcome(upstream)


async def _open_data(upstream: Upstream, envelope: Envelope) -> Reply:
    """Send DATA. If the connection was lost during the scan, connect again, once."""
    try:
        return await upstream.ask_data()
    except ServerConfused:
        raise
    except UpstreamLost:
        pass
    await _replay(upstream, envelope)
    return await upstream.ask_data()


async def _replay(upstream: Upstream, envelope: Envelope) -> None:
    """Offer the same envelope on a new connection. Raise `_EnvelopeChanged` unless all replies are 2xx."""
    _expect_same(upstream, await upstream.open())
    _expect_same(upstream, await upstream.say_hello(upstream.hello))
    for line in envelope.lines:
        _expect_same(upstream, await upstream.ask(line))


def _expect_same(upstream: Upstream, reply: Reply) -> None:
    if not reply.is_positive:
        upstream.close()
        raise _EnvelopeChanged(f"a different reply the second time: {reply.text}")


async def _send(upstream: Upstream, spool: Spool, header: bytes) -> None:
    """Send the message and its dot, no faster than the server reads them."""
    held = header  # one piece behind, so that the dot is sent with the last one
    for piece in spool.read():
        if held:
            upstream.send(held)
            await upstream.drain()
        held = piece
    upstream.send(held + b".\r\n")


async def _await_outcome(upstream: Upstream) -> Delivered | RejectedByServer | InDoubt:
    try:
        reply = await upstream.final_reply()
    except UpstreamLost as lost:
        return InDoubt(catalogue.IN_DOUBT, str(lost))
    except SessionStopped as stopped:
        raise StoppedInDoubt from stopped
    return Delivered(reply) if reply.is_positive else RejectedByServer(reply, at_data=False)
