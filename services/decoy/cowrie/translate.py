"""Cowrie's events in, ours out: journal lines, evidence, recordings, uploads. No socket, clock or file."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_MOST_SESSIONS = 2_000
_MOST_EVIDENCE_OF_A_SESSION = 100
_LONGEST_DETAIL = 200
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Connection:
    """One accepted connection, as the supervisor handed it over."""

    trace: str
    session: str
    tenant: str
    source: str
    source_port: int
    destination: str
    port: int
    protocol: str


@dataclass(frozen=True, slots=True)
class Noted:
    """A line for the journal."""

    connection: Connection
    event: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Accused:
    """Evidence against the connection's source."""

    connection: Connection
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Typed:
    """Bytes that went over the terminal; `from_attacker` or to him."""

    connection: Connection
    at: float
    from_attacker: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that Cowrie keeps under its own hash, for somebody to take."""

    connection: Connection
    sha256: str
    name: str


@dataclass(frozen=True, slots=True)
class Ended:
    connection: Connection


Outcome = Noted | Accused | Typed | Uploaded | Ended


@dataclass(slots=True)
class _Session:
    connection: Connection
    accused: int = 0


@dataclass(slots=True)
class Translator:
    """The sessions of one Cowrie process."""

    _expected: dict[tuple[str, str, str, str], Connection] = field(default_factory=dict)
    _sessions: dict[str, _Session] = field(default_factory=dict)

    @property
    def open(self) -> int:
        return len(self._expected) + len(self._sessions)

    def is_full(self) -> bool:
        return self.open >= _MOST_SESSIONS

    def expect(self, connection: Connection) -> Iterator[Outcome]:
        """Note that a connection was handed over: the attacker has it, whatever becomes of Cowrie."""
        self._expected[_ends(connection)] = connection
        yield Noted(connection, "connection", {})
        yield Accused(connection, "decoy-connection", f"{connection.protocol} connection")

    def hear(self, event: Mapping[str, Any]) -> Iterator[Outcome]:
        """Take one event of Cowrie's; garbage is nothing."""
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
            yield Ended(session.connection)

    def drop(self, connection: Connection, why: str) -> Iterator[Outcome]:
        """End a session that never began."""
        if self._expected.pop(_ends(connection), None) is not None:
            yield Noted(connection, "closed", {"why": why})
            yield Ended(connection)

    def break_off(self, why: str) -> Iterator[Outcome]:
        """End all sessions that have begun: the process is gone."""
        left = [each.connection for each in self._sessions.values()]
        self._sessions.clear()
        for connection in left:
            yield Noted(connection, "closed", {"why": why})
            yield Ended(connection)

    def _begin(self, key: str, event: Mapping[str, Any]) -> None:
        source, here = _plain(_text(event, "src_ip")), _plain(_text(event, "dst_ip"))
        ends = (source, _text(event, "src_port"), here, _text(event, "dst_port"))
        connection = self._expected.pop(ends, None)
        if connection is not None:
            self._sessions[key] = _Session(connection)

    def _of(self, session: _Session, name: str, event: Mapping[str, Any]) -> Iterator[Outcome]:
        if name == "postern.tty":
            yield from _typed(session.connection, event)
        elif name in _UPLOADS:
            yield from _uploaded(session, event)
        elif name in _READERS:
            noted, details = _READERS[name](event)
            yield Noted(session.connection, noted, details)
            if kind := _KINDS.get(noted):
                yield from _accuse(session, kind, _summary(noted, details))


def _ends(connection: Connection) -> tuple[str, str, str, str]:
    return connection.source, str(connection.source_port), connection.destination, str(connection.port)


def _plain(address: str) -> str:
    return address.removeprefix("::ffff:") if "." in address else address


def _text(event: Mapping[str, Any], key: str) -> str:
    value = event.get(key)
    return "" if value is None else str(value)


_Details = dict[str, Any]


def _login(event: Mapping[str, Any]) -> tuple[str, _Details]:
    details: _Details = {"user": _text(event, "username")}
    if "password" in event:
        details["password"] = _text(event, "password")
    elif "fingerprint" in event:
        details["key"] = _text(event, "fingerprint")
    details["success"] = event.get("eventid") == "cowrie.login.success"
    return "login", details


def _forward(event: Mapping[str, Any]) -> tuple[str, _Details]:
    return "forward", {"to": f"{_text(event, 'dst_ip')}:{_text(event, 'dst_port')}", "success": False}


def _closed(event: Mapping[str, Any]) -> tuple[str, _Details]:
    milliseconds = event.get("duration_ms")
    seconds = milliseconds / 1000 if isinstance(milliseconds, int | float) else 0.0
    return "closed", {"seconds": round(seconds, 3)}


def _exploit(event: Mapping[str, Any]) -> tuple[str, _Details]:
    return "exploit", {"exploit": _text(event, "cve"), "value": _text(event, "value")}


def _copying(noted: str, name: str, key: str) -> Callable[[Mapping[str, Any]], tuple[str, _Details]]:
    """Return a reader that keeps one field of Cowrie's, under a name of ours."""
    return lambda event: (noted, {name: _text(event, key)})


_UPLOADS = frozenset({"cowrie.session.file_upload", "cowrie.session.file_download"})
_READERS: Mapping[str, Callable[[Mapping[str, Any]], tuple[str, _Details]]] = {
    "cowrie.client.version": _copying("client", "version", "version"),
    "cowrie.client.kex": _copying("client", "hassh", "hassh"),
    "cowrie.client.malformed_packet": _copying("garbage", "data", "data"),
    "cowrie.login.success": _login,
    "cowrie.login.failed": _login,
    "cowrie.command.input": _copying("command", "input", "input"),
    # What an attacker has his victim fetch: never fetched.
    "cowrie.session.file_download.failed": _copying("download", "url", "url"),
    "cowrie.direct-tcpip.request": _forward,
    "cowrie.telnet.exploit_attempt": _exploit,
    "cowrie.session.closed": _closed,
}
# What of it is evidence, and of which kind.
_KINDS = {
    "login": "decoy-login",
    "command": "decoy-command",
    "forward": "decoy-command",
    "exploit": "decoy-login",
}


def _summary(noted: str, details: _Details) -> str:
    if noted == "login":
        taken = "taken" if details["success"] else "refused"
        return f"{taken}: {details['user']}/{details.get('password', details.get('key', ''))}"
    if noted == "command":
        return str(details["input"])
    return f"{noted} {details.get('to') or details.get('exploit')}"


def _accuse(session: _Session, kind: str, detail: str) -> Iterator[Accused]:
    """Bounded: what the hundredth command shows, the first ninety-nine did."""
    session.accused += 1
    if session.accused <= _MOST_EVIDENCE_OF_A_SESSION:
        yield Accused(session.connection, kind, _escaped(detail))


def _escaped(detail: str) -> str:
    return detail[:_LONGEST_DETAIL].encode("unicode_escape").decode("ascii")[:_LONGEST_DETAIL]


def _typed(connection: Connection, event: Mapping[str, Any]) -> Iterator[Typed]:
    at, direction = event.get("at"), event.get("direction")
    try:
        data = base64.b64decode(_text(event, "data"), validate=True)
    except (binascii.Error, ValueError):
        return
    if isinstance(at, int | float):
        # Cowrie counts 1: typed, 2: shown, 3: the command that a client asked for at once.
        yield Typed(connection, float(at), direction != 2, data)


def _uploaded(session: _Session, event: Mapping[str, Any]) -> Iterator[Outcome]:
    sha256 = _text(event, "shasum")
    if _SHA256.fullmatch(sha256):
        name = _text(event, "filename") or _text(event, "destfile") or "standard input"
        yield Uploaded(session.connection, sha256, name)
        yield from _accuse(session, "decoy-upload", f"{name} {sha256[:16]}")
