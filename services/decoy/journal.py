"""The decoy's journal: one JSON line for each event, to a file and, if wanted, to a syslog server.

What an attacker wrote is escaped and cut. A disk that is full stops nothing: lines are counted, and
told by `LinesLost` when there is room again.
"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from services.base.journal import Journal

Ship = Callable[[list[str]], None]


class Event(StrEnum):
    CONNECTION = "connection"
    ENCRYPTED = "encrypted"
    LOGIN = "login"
    COMMAND = "command"
    MESSAGE = "message"
    UPLOAD = "upload"
    REQUEST = "request"
    CLOSED = "closed"
    # about the decoy itself
    DECOY_STARTED = "DecoyStarted"
    DECOY_STOPPED = "DecoyStopped"
    DECOY_FAILED = "DecoyFailed"
    SETTINGS_LOADED = "SettingsLoaded"
    SETTINGS_REFUSED = "SettingsRefused"
    LISTEN_FAILED = "ListenFailed"
    DOORS_OPEN = "DoorsOpen"
    CERTIFICATE_MADE = "CertificateMade"
    SESSIONS_SHED = "SessionsShed"
    SPOOL_FAILED = "SpoolFailed"


class DecoyJournal(Journal):
    time_key, name_key = "at", "decoy"

    def __init__(self, path: Path | None, name: str, ship: Ship | None = None) -> None:
        super().__init__(path, name)
        self.ship = ship

    def _put(self, lines: list[str]) -> None:
        super()._put(lines)
        if self.ship is not None and lines:
            self.ship(lines)
