"""The events of the responder."""

from common.journal.events import REASON, Event, info, integer, text
from services.base.events import SESSIONS_ENDED


class ResponderEvent(Event):
    """Events of `postern-responder`."""

    RESPONDER_STARTED = info(
        "ResponderStarted",
        "The responder is listening.",
        text("pool", "the pool that it is a member of"),
        integer("port", "the port on which it listens"),
    )
    RESPONDER_STOPPED = info("ResponderStopped", "The responder was stopped.", SESSIONS_ENDED)
    SESSION_ANSWERED = info(
        "SessionAnswered",
        "The responder answered a client in place of a tenant's server, and the session has ended.",
        text("tenant", "the tenant whose server the client connected to"),
        text("session", "number of the session, also given in its replies"),
        text("client", "the client's address"),
        integer("port", "the client's port"),
        text("server", "the server's address"),
        text("answer", "`tempfail` or `reject`, as the tenant's policy says"),
        integer("commands", "number of commands that the client sent"),
        text("mail", "the MAIL command, empty if there was none"),
        REASON,
    )
