"""What becomes of what Cowrie's attackers do: lines in the journal, evidence, recordings, uploads kept."""

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from services.decoy.cowrie.home import Home
from services.decoy.cowrie.translate import (
    Accused,
    Connection,
    Ended,
    Noted,
    Outcome,
    Typed,
    Uploaded,
)

_LARGEST_UPLOAD_BYTES = 32 * 1024 * 1024


class Journal(Protocol):
    def note(self, event: str, facts: Mapping[str, Any]) -> None: ...


class Evidence(Protocol):
    def add(self, piece: Mapping[str, Any]) -> None: ...


class Spool(Protocol):
    def record(self, session: str, at: float, from_attacker: bool, data: bytes) -> None: ...
    def end(self, session: str) -> None: ...
    def keep(self, sha256: str, data: bytes) -> bool: ...


class Reporter:
    """Carries out a translator's outcomes."""

    def __init__(
        self, journal: Journal, evidence: Evidence, spool: Spool, ended: Callable[[Connection], None]
    ) -> None:
        self._journal = journal
        self._evidence = evidence
        self._spool = spool
        self._ended = ended

    def carry(self, outcomes: Iterable[Outcome], home: Home) -> None:
        for outcome in outcomes:
            match outcome:
                case Noted(connection, event, details):
                    self._journal.note(event, {**_about(connection), **details})
                case Accused():
                    self._evidence.add(_piece(outcome))
                case Typed(connection, at, from_attacker, data):
                    self._spool.record(connection.session, at, from_attacker, data)
                case Uploaded():
                    self._keep(outcome, home.downloads)
                case Ended(connection):
                    self._spool.end(connection.session)
                    self._ended(connection)

    def _keep(self, uploaded: Uploaded, downloads: Path) -> None:
        """Take a file out of Cowrie's hands. What it says of the file is not believed, but hashed."""
        data = _take(downloads / uploaded.sha256)
        facts: dict[str, Any] = {"name": uploaded.name, "sha256": uploaded.sha256, "kept": False}
        if data is not None:
            facts["size"] = len(data)
            facts["sha256"] = hashlib.sha256(data).hexdigest()
            facts["kept"] = self._spool.keep(facts["sha256"], data)
        self._journal.note("upload", {**_about(uploaded.connection), **facts})


def _take(path: Path) -> bytes | None:
    """Return a file's content. It stays: Cowrie shows it to its attacker, until it starts anew."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file, contextlib.suppress(OSError):
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file.read(_LARGEST_UPLOAD_BYTES)
    return None


def _about(connection: Connection) -> dict[str, Any]:
    return {
        "trace": connection.trace,
        "session": connection.session,
        "tenant": connection.tenant,
        "source": connection.source,
        "source_port": connection.source_port,
        "destination": connection.destination,
        "port": connection.port,
        "transport": "tcp",
        "protocol": connection.protocol,
    }


def _piece(accused: Accused) -> dict[str, Any]:
    about = accused.connection
    return {
        "kind": accused.kind,
        "source": about.source,
        "tenant": about.tenant,
        "destination": about.destination,
        "port": about.port,
        "transport": "tcp",
        "detail": accused.detail,
        "trace": about.trace,
        "count": 1,
    }
