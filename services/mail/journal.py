"""One JSON line for each event. What an attacker wrote stays data: escaped, cut, never raw."""

import json
import os
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

_LONGEST_TEXT = 500
_MOST_ITEMS = 100


class Event(StrEnum):
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


def _bounded(value: object) -> object:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + "..."
    if isinstance(value, (list, tuple)):
        return [_bounded(item) for item in value[:_MOST_ITEMS]]
    return value


class Journal:
    """Appends to a file, or to standard output. A disk that refuses never stops mail: `lost` counts."""

    def __init__(self, path: Path | None, gateway: str) -> None:
        self._gateway = gateway
        self._path = path
        self._file = self._open()
        self.lost = 0

    def write(self, event: Event, **facts: object) -> None:
        time = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        line: dict[str, object] = {"time": time, "event": event.value, "gateway": self._gateway}
        line |= {name: _bounded(fact) for name, fact in facts.items()}
        try:
            os.write(self._file, json.dumps(line, ensure_ascii=True).encode() + b"\n")
        except OSError:
            self.lost += 1

    def reopen(self) -> None:
        """Open the file again by its name, after a log rotation."""
        if self._path is not None:
            os.close(self._file)
            self._file = self._open()

    def _open(self) -> int:
        if self._path is None:
            return sys.stdout.fileno()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
