"""The events of decoys, in the decoy's journal and in Cowrie's."""

from common.journal.events import (
    COUNT,
    REASON,
    REMEDY,
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
from services.base.events import SESSIONS_ENDED

SESSION = (
    text("trace", "number of the session in evidence and decisions"),
    text("session", "number of the session in the spool"),
    text("tenant", "the tenant whose address was attacked"),
    text("source", "the attacker's address"),
    integer("source_port", "the attacker's port"),
    text("destination", "the attacked address"),
    integer("port", "the attacked port"),
    text("transport", "`tcp`"),
    text("protocol", "the protocol of the decoy"),
)
_SHA256 = text("sha256", "hash of the content")
_SIZE = integer("size", "size of the content in bytes")
_KEPT = flag("kept", "the content is in the spool")
_CONTENT = (_SHA256, _SIZE, _KEPT)


class DecoyEvent(Event):
    """Events of `postern-decoy`, and of `postern-cowrie` where it has the same ones."""

    ATTACKER_CONNECTED = info("AttackerConnected", "An attacker connected.", *SESSION)
    ATTACKER_ENCRYPTED = info(
        "AttackerEncrypted",
        "The session is encrypted.",
        *SESSION,
        text("tls", "TLS version"),
        text("cipher", "the cipher"),
    )
    LOGIN_TRIED = info(
        "LoginTried",
        "An attacker tried to log in.",
        *SESSION,
        text("user", "the user's name"),
        text("mechanism", "the protocol's name for the method").optional,
        text("password", "the password").optional,
        text("key", "fingerprint of the SSH key").optional,
        flag("success", "the decoy let the attacker in").optional,
    )
    COMMAND_ENTERED = info(
        "CommandEntered", "An attacker sent a command.", *SESSION, text("text", "the command")
    )
    MAIL_CAPTURED = info(
        "MailCaptured",
        "An attacker sent a mail message.",
        *SESSION,
        text("sender", "the envelope's sender"),
        texts("recipients", "the first recipients of the envelope"),
        integer("count", "number of recipients"),
        *_CONTENT,
    )
    FILE_UPLOADED = info(
        "FileUploaded",
        "An attacker uploaded a file.",
        *SESSION,
        text("name", "the file's name, as given by the attacker"),
        _SHA256,
        _SIZE.optional,
        _KEPT,
    )
    REQUEST_RECEIVED = info(
        "RequestReceived",
        "An attacker sent an HTTP request.",
        *SESSION,
        text("method", "the method"),
        text("target", "the target"),
        texts("headers", "the headers"),
        integer("status", "status of the answer"),
        *(each.optional for each in _CONTENT),
    )
    ATTACKER_DISCONNECTED = info(
        "AttackerDisconnected",
        "A session has ended.",
        *SESSION,
        REASON.optional,
        number("seconds", "duration of the session").optional,
        integer("bytes_in", "bytes from the attacker").optional,
        integer("bytes_out", "bytes to the attacker").optional,
        flag("recorded", "the whole session is in the spool").optional,
    )
    DECOY_STARTED = info(
        "DecoyStarted",
        "The decoy is listening.",
        integer("listening", "number of addresses and ports at which it listens"),
        integer("failed", "number of addresses and ports at which it cannot listen"),
    )
    DECOY_STOPPED = info("DecoyStopped", "The decoy was stopped.", SESSIONS_ENDED)
    DECOY_FAILED = error(
        "DecoyFailed",
        "Something that the decoy needs is missing, or an unexpected error ended a session.",
        REASON,
        *(each.optional for each in SESSION),
    )
    LISTEN_FAILED = error(
        "ListenFailed",
        "The decoy cannot listen at an address and port; each is reported once.",
        text("place", "address and port"),
        REASON,
    )
    PORT_FILTER_MISSING = warning(
        "PortFilterMissing",
        "The kernel does not reject closed ports; they accept a connection and reset it at once.",
        REASON,
        REMEDY,
    )
    SPOOL_FAILED = error(
        "SpoolFailed", "Recordings or uploads could not be written to the spool.", COUNT, REASON
    )
