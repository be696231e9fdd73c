"""Translates Cowrie's events into ours: journal lines, evidence, recordings, uploads. Pure."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from common.journal.events import Event
from services.cowrie.events import CowrieEvent
from services.decoy.events import Encounter
from services.decoy.journal import DecoyEvent

_MOST_SESSIONS = 2_000
_MOST_EVIDENCE_OF_A_SESSION = 100
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Noted:
    """A line for the journal."""

    encounter: Encounter
    event: Event
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Accused:
    """Evidence against the connection's source."""

    encounter: Encounter
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Typed:
    """Bytes on the terminal, `from_attacker` or to the attacker."""

    encounter: Encounter
    at: float
    from_attacker: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that Cowrie stores under its hash, to be copied from there."""

    encounter: Encounter
    sha256: str
    name: str


@dataclass(frozen=True, slots=True)
class Ended:
    encounter: Encounter


CowrieOutcome = Noted | Accused | Typed | Uploaded | Ended


@dataclass(slots=True)
class _Session:
    encounter: Encounter
    accused: int = 0


@dataclass(slots=True)
class Translator:
    """The sessions of one Cowrie process."""

    _expected: dict[tuple[str, str, str, str], Encounter] = field(default_factory=dict)
    _sessions: dict[str, _Session] = field(default_factory=dict)

    @property
    def open(self) -> int:
        return len(self._expected) + len(self._sessions)

    def is_full(self) -> bool:
        return self.open >= _MOST_SESSIONS

    def expect(self, encounter: Encounter) -> Iterator[CowrieOutcome]:
        """Report a new connection. The attacker is connected even if Cowrie fails."""
        self._expected[_ends(encounter)] = encounter
        yield Noted(encounter, DecoyEvent.ATTACKER_CONNECTED, {})
        yield Accused(encounter, "decoy-connection", f"{encounter.protocol} connection")

    def hear(self, event: Mapping[str, Any]) -> Iterator[CowrieOutcome]:
        """Translate one event of Cowrie; ignore garbage."""
        name, key = event.get("eventid"), event.get("session")
        if not isinstance(name, str) or not isinstance(key, str):
            return
        if name == "cowrie.session.connect":
            self._begin(key, event)
        session = self._sessions.get(key)
        if session is None:
            return
        yield from self._of(session, name, event)
        if name == "cowrie.session.closed":
            del self._sessions[key]
            yield Ended(session.encounter)

    def drop(self, encounter: Encounter, reason: str) -> Iterator[CowrieOutcome]:
        """End a session that never began."""
        if self._expected.pop(_ends(encounter), None) is not None:
            yield Noted(encounter, DecoyEvent.ATTACKER_DISCONNECTED, {"reason": reason})
            yield Ended(encounter)

    def break_off(self, reason: str) -> Iterator[CowrieOutcome]:
        """End all sessions that have begun, because the process is gone."""
        left = [each.encounter for each in self._sessions.values()]
        self._sessions.clear()
        for encounter in left:
            yield Noted(encounter, DecoyEvent.ATTACKER_DISCONNECTED, {"reason": reason})
            yield Ended(encounter)

    def _begin(self, key: str, event: Mapping[str, Any]) -> None:
        source, here = _plain(_text(event, "src_ip")), _plain(_text(event, "dst_ip"))
        ends = (source, _text(event, "src_port"), here, _text(event, "dst_port"))
        encounter = self._expected.pop(ends, None)
        if encounter is not None:
            self._sessions[key] = _Session(encounter)

    def _of(self, session: _Session, name: str, event: Mapping[str, Any]) -> Iterator[CowrieOutcome]:
        if name == "postern.tty":
            yield from _typed(session.encounter, event)
        elif name in _UPLOADS:
            yield from _uploaded(session, event)
        elif name in _READERS:
            noted, details = _READERS[name](event)
            yield Noted(session.encounter, noted, details)
            if kind := _KINDS.get(noted):
                yield from _accuse(session, kind, _summary(noted, details))


def _ends(encounter: Encounter) -> tuple[str, str, str, str]:
    return str(encounter.source), str(encounter.source_port), str(encounter.destination), str(encounter.port)


def _plain(address: str) -> str:
    return address.removeprefix("::ffff:") if "." in address else address


def _text(event: Mapping[str, Any], key: str) -> str:
    value = event.get(key)
    return "" if value is None else str(value)


_Details = dict[str, Any]
_Reader = Callable[[Mapping[str, Any]], tuple[Event, _Details]]


def _login(event: Mapping[str, Any]) -> tuple[Event, _Details]:
    details: _Details = {"user": _text(event, "username")}
    if "password" in event:
        details |= {"mechanism": "password", "password": _text(event, "password")}
    elif "fingerprint" in event:
        details |= {"mechanism": "publickey", "key": _text(event, "fingerprint")}
    details["success"] = event.get("eventid") == "cowrie.login.success"
    return DecoyEvent.LOGIN_TRIED, details


def _forward(event: Mapping[str, Any]) -> tuple[Event, _Details]:
    return CowrieEvent.FORWARD_REQUESTED, {
        "to": f"{_text(event, 'dst_ip')}:{_text(event, 'dst_port')}",
        "success": False,
    }


def _closed(event: Mapping[str, Any]) -> tuple[Event, _Details]:
    milliseconds = event.get("duration_ms")
    seconds = milliseconds / 1000 if isinstance(milliseconds, int | float) else 0.0
    return DecoyEvent.ATTACKER_DISCONNECTED, {"seconds": round(seconds, 3)}


def _exploit(event: Mapping[str, Any]) -> tuple[Event, _Details]:
    return CowrieEvent.EXPLOIT_TRIED, {"exploit": _text(event, "cve"), "value": _text(event, "value")}


def _copying(noted: Event, name: str, key: str) -> _Reader:
    """Return a reader that copies one field of Cowrie's event under our name."""
    return lambda event: (noted, {name: _text(event, key)})


_UPLOADS = frozenset({"cowrie.session.file_upload", "cowrie.session.file_download"})
_READERS: Mapping[str, _Reader] = {
    "cowrie.client.version": _copying(CowrieEvent.CLIENT_IDENTIFIED, "version", "version"),
    "cowrie.client.kex": _copying(CowrieEvent.CLIENT_IDENTIFIED, "hassh", "hassh"),
    "cowrie.client.malformed_packet": _copying(CowrieEvent.INVALID_INPUT_RECEIVED, "data", "data"),
    "cowrie.login.success": _login,
    "cowrie.login.failed": _login,
    "cowrie.command.input": _copying(DecoyEvent.COMMAND_ENTERED, "text", "input"),
    # A download that the attacker requests: it is never carried out.
    "cowrie.session.file_download.failed": _copying(CowrieEvent.DOWNLOAD_REQUESTED, "url", "url"),
    "cowrie.direct-tcpip.request": _forward,
    "cowrie.telnet.exploit_attempt": _exploit,
    "cowrie.session.closed": _closed,
}
# The events that are evidence, and their kind.
_KINDS = {
    DecoyEvent.LOGIN_TRIED: "decoy-login",
    DecoyEvent.COMMAND_ENTERED: "decoy-command",
    CowrieEvent.FORWARD_REQUESTED: "decoy-command",
    CowrieEvent.EXPLOIT_TRIED: "decoy-login",
}


def _summary(noted: Event, details: _Details) -> str:
    if noted is DecoyEvent.LOGIN_TRIED:
        taken = "taken" if details["success"] else "refused"
        return f"{taken}: {details['user']}/{details.get('password', details.get('key', ''))}"
    if noted is DecoyEvent.COMMAND_ENTERED:
        return str(details["text"])
    return f"{noted} {details.get('to') or details.get('exploit')}"


def _accuse(session: _Session, kind: str, detail: str) -> Iterator[Accused]:
    """Limit the evidence of a session: further commands would add nothing."""
    session.accused += 1
    if session.accused <= _MOST_EVIDENCE_OF_A_SESSION:
        yield Accused(session.encounter, kind, detail)


def _typed(encounter: Encounter, event: Mapping[str, Any]) -> Iterator[Typed]:
    at, direction = event.get("at"), event.get("direction")
    try:
        data = base64.b64decode(_text(event, "data"), validate=True)
    except (binascii.Error, ValueError):
        return
    if isinstance(at, int | float):
        # Cowrie counts 1: typed, 2: shown, 3: the command that a client asked for at once.
        yield Typed(encounter, float(at), direction != 2, data)


def _uploaded(session: _Session, event: Mapping[str, Any]) -> Iterator[CowrieOutcome]:
    sha256 = _text(event, "shasum")
    if _SHA256.fullmatch(sha256):
        name = _text(event, "filename") or _text(event, "destfile") or "standard input"
        yield Uploaded(session.encounter, sha256, name)
        yield from _accuse(session, "decoy-upload", f"{name} {sha256[:16]}")
