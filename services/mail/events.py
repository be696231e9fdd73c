"""The events of the mail gateway, as its journal names them."""

from enum import StrEnum


class MailEvent(StrEnum):
    GATEWAY_STARTED = "GatewayStarted"
    GATEWAY_STOPPED = "GatewayStopped"
    SETTINGS_LOADED = "SettingsLoaded"
    SETTINGS_REFUSED = "SettingsRefused"
    CERTIFICATE_MADE = "CertificateMade"
    SESSION_OPENED = "SessionOpened"
    SESSION_REFUSED = "SessionRefused"
    SESSION_ENCRYPTED = "SessionEncrypted"
    SESSION_CLOSED = "SessionClosed"
    SERVER_UNREACHABLE = "ServerUnreachable"
    RECIPIENT_REFUSED = "RecipientRefused"
    MESSAGE_RECEIVED = "MessageReceived"
    SCAN_SKIPPED = "ScanSkipped"
    MESSAGE_SCANNED = "MessageScanned"
    MESSAGE_DELIVERED = "MessageDelivered"
    MESSAGE_REJECTED = "MessageRejected"
    MESSAGE_DEFERRED = "MessageDeferred"
    DELIVERY_IN_DOUBT = "DeliveryInDoubt"
    PROTOCOL_VIOLATED = "ProtocolViolated"
    GATEWAY_FAILED = "GatewayFailed"


# These must be on disk at once. DELIVERY_IN_DOUBT identifies a message that the sender will send again.
URGENT = frozenset({MailEvent.DELIVERY_IN_DOUBT, MailEvent.GATEWAY_FAILED, MailEvent.GATEWAY_STOPPED})
