"""The events that only Cowrie's decoys have."""

from common.journal.events import (
    COUNT,
    REASON,
    Event,
    error,
    flag,
    info,
    integer,
    number,
    text,
    texts,
    warning,
)
from services.decoy.journal import SESSION

_PERSONA = text("persona", "which Cowrie: tenant and host")


class CowrieEvent(Event):
    """Events of `postern-cowrie` that other decoys do not have."""

    CLIENT = info(
        "client",
        "The attacker's program identified itself.",
        *SESSION,
        text("version", "its version").optional,
        text("hassh", "fingerprint of its key exchange").optional,
    )
    DOWNLOAD = info(
        "download",
        "The attacker wanted a file fetched. It was not fetched.",
        *SESSION,
        text("url", "the file's address"),
    )
    FORWARD = info(
        "forward",
        "The attacker wanted a connection forwarded. It was not forwarded.",
        *SESSION,
        text("to", "address and port"),
        flag("success", "always false"),
    )
    EXPLOIT = info(
        "exploit",
        "The attacker tried a known exploit.",
        *SESSION,
        text("exploit", "its CVE number"),
        text("value", "what the attacker sent"),
    )
    GARBAGE = info(
        "garbage",
        "The attacker sent what is not valid SSH.",
        *SESSION,
        text("data", "what the attacker sent"),
    )
    COWRIE_STARTED = info(
        "CowrieStarted",
        "A Cowrie process takes connections.",
        _PERSONA,
        integer("pid", "its process number"),
        number("seconds", "how long it took to start"),
    )
    COWRIE_DIED = error(
        "CowrieDied",
        "A Cowrie process has ended unexpectedly, or cannot be started. It is started again.",
        _PERSONA,
        REASON,
        texts("last", "its last lines on standard error").optional,
    )
    COWRIE_STOPPED = info("CowrieStopped", "A Cowrie process was stopped.", _PERSONA)
    EVENTS_LOST = warning("EventsLost", "A Cowrie process dropped events of its own.", _PERSONA, COUNT)
