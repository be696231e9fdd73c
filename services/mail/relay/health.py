"""The gateway's answers to the health agent on its host: that it runs, and the revision of its settings.

A mere connection would not show that: the kernel accepts connections for a program that hangs. No mail is
accepted here, and no tenant's server is contacted.
"""

from services.mail.relay.ports import SessionStopped, Wire, WireClosed, WireTimeout
from services.smtp import catalogue
from services.smtp.catalogue import OwnReply
from services.smtp.lines import LineError, take_line

_PATIENCE_S = 5.0
_MOST_COMMANDS = 10


async def answer_agent(wire: Wire, revision: int) -> None:
    """Run the dialogue until the agent disconnects, or is too slow."""
    try:
        await _converse(wire, revision)
    except LineError:
        _say(wire, catalogue.BAD_LINE)
    except (WireClosed, WireTimeout, SessionStopped):
        return


async def _converse(wire: Wire, revision: int) -> None:
    _say(wire, catalogue.GREETING)
    for _ in range(_MOST_COMMANDS):
        verb = (await _read_line(wire)).partition(b" ")[0].upper()
        if verb == b"QUIT":
            return _say(wire, catalogue.BYE)
        is_greeting = verb in (b"EHLO", b"HELO")
        taken_up = OwnReply(250, f"{catalogue.OWN_NAME} carries out revision {revision}")
        _say(wire, taken_up if is_greeting else catalogue.NOT_IMPLEMENTED)
    return _say(wire, catalogue.TOO_MANY_ERRORS)


def _say(wire: Wire, reply: OwnReply) -> None:
    wire.write(reply.encode())


async def _read_line(wire: Wire) -> bytes:
    while (line := take_line(wire.buffer)) is None:
        await wire.more(_PATIENCE_S)
    return line
