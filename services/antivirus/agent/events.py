"""The events of the agent that updates signatures."""

from common.journal.events import REASON, Event, error, info, integer, number, warning


class UpdateAgentEvent(Event):
    """Events of `postern-av-agent`."""

    UPDATED = info(
        "Updated",
        "The host uses a new generation of signatures.",
        integer("generation", "number of the generation"),
        integer("serial", "serial number of the ring"),
        integer("bytes", "bytes that were fetched"),
        number("seconds", "duration of the update"),
    )
    UPDATE_REFUSED = error(
        "UpdateRefused", "The new generation cannot be used; the host keeps its current one.", REASON
    )
    UPDATE_RETRIED = warning("UpdateRetried", "An update failed; it is tried again after a pause.", REASON)
    SERVER_NOT_REACHED = warning("ServerNotReached", "No anti-virus server can be reached.", REASON)
    NOT_REPORTED = warning(
        "NotReported", "No server accepted the report of this host; it is sent again.", REASON
    )
