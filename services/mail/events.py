"""The events of the mail gateway."""

from common.journal.events import (
    REASON,
    Event,
    error,
    flag,
    info,
    integer,
    notice,
    number,
    text,
    texts,
    warning,
)
from services.base.events import SESSIONS_ENDED

_SESSION_NUMBER = text("session", "number of the session")
_SESSION = (
    text("tenant", "the tenant whose server the client connected to"),
    _SESSION_NUMBER,
    text("client", "the client's address and port"),
    text("server", "the server's address"),
)
_MESSAGE = (*_SESSION, text("trace", "id of the message: session and message number"))
_REPLY = text("reply", "the SMTP reply that the client got")
_SECONDS = number("seconds", "seconds since DATA")
_END = (
    *_MESSAGE,
    _REPLY,
    REASON,
    _SECONDS,
    text("tag", "value of the header `X-Postern-Scan`; empty without one").optional,
    flag("client_was_gone", "the client disconnected before it got the reply").optional,
    flag("server_tls", "leg 2 was encrypted").optional,
)
_SHA256 = text("sha256", "hash of the message as the client sent it")
_MESSAGE_ID = text("message_id", "the header `Message-ID`")


class MailEvent(Event):
    """Events of `postern-mail`."""

    GATEWAY_STARTED = info(
        "GatewayStarted",
        "The gateway is listening.",
        text("role", "`proxy` or `scanner`"),
        text("pool", "the pool that it is a member of"),
        integer("port", "the port on which it listens"),
    )
    GATEWAY_STOPPED = info("GatewayStopped", "The gateway was stopped.", SESSIONS_ENDED).urgent
    GATEWAY_FAILED = error(
        "GatewayFailed", "An unexpected error ended a session.", _SESSION_NUMBER.optional, REASON
    ).urgent
    CERTIFICATE_MADE = notice(
        "CertificateMade",
        "A tenant without a certificate got a self-signed one.",
        text("tenant", "name of the tenant"),
        REASON,
    )
    SESSION_OPENED = info("SessionOpened", "A client connected and was admitted.", *_SESSION)
    SESSION_ENCRYPTED = info(
        "SessionEncrypted", "Leg 1 is encrypted.", *_SESSION, text("cipher", "TLS version and cipher")
    )
    SESSION_CLOSED = info(
        "SessionClosed",
        "A session has ended.",
        *_SESSION,
        REASON,
        integer("messages", "messages in the session"),
        flag("tls", "leg 1 was encrypted"),
    )
    SERVER_UNREACHABLE = warning(
        "ServerUnreachable",
        "The tenant's server cannot be reached, or closed the connection.",
        *_SESSION,
        REASON,
    )
    PROTOCOL_VIOLATED = notice("ProtocolViolated", "The client broke the SMTP protocol.", *_SESSION, REASON)
    RECIPIENT_REFUSED = info(
        "RecipientRefused",
        "The server refused a recipient.",
        *_MESSAGE,
        text("recipient", "the address"),
        text("reply", "the server's reply"),
    )
    MESSAGE_RECEIVED = info(
        "MessageReceived",
        "The gateway has the whole message.",
        *_MESSAGE,
        text("sender", "the envelope's sender"),
        texts("recipients", "the envelope's recipients"),
        integer("size_bytes", "size of the message in bytes"),
        _SHA256,
        _MESSAGE_ID,
        flag("was_normalized", "bare newlines were replaced, as the policy says"),
        flag("client_tls", "leg 1 was encrypted"),
        flag("server_tls", "leg 2 was encrypted"),
    )
    SCAN_SKIPPED = info(
        "ScanSkipped", "The message is not scanned, because of a rule of the tenant.", *_MESSAGE
    )
    MESSAGE_SCANNED = info(
        "MessageScanned",
        "A scanner scanned the message, or no scanner was available.",
        *_MESSAGE,
        text("verdict", "`clean`, `infected`, `limits`, `encrypted` or `unavailable`"),
        text("detail", "name of the malware, or what went wrong"),
        text("scanner", "address of the scanner"),
        flag("was_cached", "the verdict was remembered from the same message, a moment ago"),
        number("scan_s", "seconds that the scan took"),
    )
    MESSAGE_DELIVERED = info("MessageDelivered", "The server accepted the message.", *_END)
    MESSAGE_REJECTED = notice("MessageRejected", "The message was refused permanently (5xx).", *_END)
    MESSAGE_DEFERRED = notice("MessageDeferred", "The message was refused temporarily (4xx).", *_END)
    DELIVERY_IN_DOUBT = warning(
        "DeliveryInDoubt",
        "The server had the whole message and its reply was lost; the client got a 451 and sends it again.",
        *_MESSAGE,
        REASON,
        _MESSAGE_ID,
        _SHA256,
        integer("sent_bytes", "bytes that the server got"),
    ).urgent
