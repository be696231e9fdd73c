"""What the gateway answers an agent on its own host: that it is there, hears, and has taken its settings up.

A greeting alone would not show that: the kernel accepts connections for a program
that hangs. No mail is taken here, and no tenant's server is asked.
"""

from services.mail.io.wire import Wire, WireClosed
from services.mail.settings import Settings
from services.smtp import catalogue
from services.smtp.lines import LineError, take_line

MOST_AT_ONCE = 20
_PATIENCE_S = 5.0
_MOST_COMMANDS = 10


async def answer_agent(wire: Wire, settings: Settings) -> None:
    """Hold the dialogue until the agent takes leave. Raise `WireTimeout`."""
    _say(wire, f"220 {settings.hostname} ESMTP")
    try:
        for _ in range(_MOST_COMMANDS):
            verb = (await _read_line(wire)).partition(b" ")[0].upper()
            if verb == b"QUIT":
                _say(wire, catalogue.BYE)
                return
            is_greeting = verb in (b"EHLO", b"HELO")
            revision = f"250 {settings.hostname} carries out revision {settings.revision}"
            _say(wire, revision if is_greeting else catalogue.NOT_IMPLEMENTED)
        _say(wire, catalogue.TOO_MANY_ERRORS)
    except WireClosed:
        return
    except LineError:
        _say(wire, catalogue.BAD_LINE)


def _say(wire: Wire, reply: str) -> None:
    wire.write(f"{reply}\r\n".encode())


async def _read_line(wire: Wire) -> bytes:
    while (line := take_line(wire.buffer)) is None:
        await wire.more(_PATIENCE_S)
    return line
