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

_PERSONA = text("persona", "tenant and host of the Cowrie process")


class CowrieEvent(Event):
    """Events of `postern-cowrie` that other decoys do not have."""

    CLIENT_IDENTIFIED = info(
        "ClientIdentified",
        "The attacker's client identified itself.",
        *SESSION,
        text("version", "the client's version").optional,
        text("hassh", "fingerprint of the client's key exchange").optional,
    )
    DOWNLOAD_REQUESTED = info(
        "DownloadRequested",
        "The attacker requested the download of a file. The decoy did not download it.",
        *SESSION,
        text("url", "the file's address"),
    )
    FORWARD_REQUESTED = info(
        "ForwardRequested",
        "The attacker requested the forwarding of a connection. The decoy did not forward it.",
        *SESSION,
        text("to", "address and port"),
        flag("success", "always false"),
    )
    EXPLOIT_TRIED = info(
        "ExploitTried",
        "The attacker tried a known exploit.",
        *SESSION,
        text("exploit", "its CVE number"),
        text("value", "what the attacker sent"),
    )
    INVALID_INPUT_RECEIVED = info(
        "InvalidInputReceived",
        "The attacker sent invalid SSH.",
        *SESSION,
        text("data", "what the attacker sent"),
    )
    COWRIE_STARTED = info(
        "CowrieStarted",
        "A Cowrie process accepts connections.",
        _PERSONA,
        integer("pid", "the process id"),
        number("seconds", "duration of its start"),
    )
    COWRIE_DIED = error(
        "CowrieDied",
        "A Cowrie process ended unexpectedly, or cannot be started. It is restarted.",
        _PERSONA,
        REASON,
        texts("last", "last lines on its standard error").optional,
    )
    COWRIE_STOPPED = info("CowrieStopped", "A Cowrie process was stopped.", _PERSONA)
    EVENTS_LOST = warning("EventsLost", "A Cowrie process dropped events of its own.", _PERSONA, COUNT)
