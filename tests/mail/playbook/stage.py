"""A session in memory: real dialogue, driver and wires between a scripted client, server, scanner and clock.

There is no event loop: what the loop would call soon waits in a queue, which `Stage.settle` works off.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from services.base.clamd import Verdict, VerdictKind
from services.base.settings import read_settings
from services.mail.io.driver import Driver
from services.mail.io.wire import BaseWire, Outbox, Sweeper
from services.mail.relay import dialogue
from services.mail.relay.ports import (
    Dependencies,
    HandshakeFailed,
    Peers,
    ServerUnreachable,
    SessionStopped,
    Spool,
)
from services.mail.relay.session import Session, SessionContext
from services.mail.settings import ScannerAddress, Settings
from tests.mail.playbook.memory import MemoryJournal, MemorySpool, MemoryTransport, Promise, Turns

EHLO = b"250-mx.acme.example\r\n250-PIPELINING\r\n250-SIZE 50000\r\n250 8BITMIME\r\n"
EHLO_WITH_TLS = b"250-mx.acme.example\r\n250-STARTTLS\r\n250 8BITMIME\r\n"
CLEAN = Verdict(VerdictKind.CLEAN)
STEP_S = 5.0
LONG_S = 1_000.0  # past every deadline


@dataclass(frozen=True)
class Say:
    """The server sends this, `after_s` seconds later; then it may hang up."""

    data: bytes
    after_s: float = 0.0
    hangs_up: bool = False


LOST = Say(b"", hangs_up=True)
SILENT = Say(b"")
Step = bytes | Say | HandshakeFailed | Promise | ServerUnreachable


def _say(step: Step) -> Say:
    if isinstance(step, bytes):
        return Say(step)
    assert isinstance(step, Say)
    return step


class ClientSide(BaseWire):
    """The client's connection; `handshake` is what becomes of its STARTTLS."""

    handshake: Step = b""
    answers_after_eof = True

    async def encrypt(self, within_s: float) -> str:
        assert within_s > 0
        self.flush()
        if isinstance(self.handshake, Promise):
            await self.handshake.kept()
        elif isinstance(self.handshake, HandshakeFailed):
            raise self.handshake
        return "TLSv1.3 TLS_AES_256_GCM_SHA384"


class ServerSide(BaseWire):
    """One connection to the tenant's server, and the server behind it."""

    def __init__(self, stage: "Stage") -> None:
        super().__init__(stage.sweeper, stage.outbox)
        self._stage = stage
        self._heard = b""
        self._is_in_message = False
        self.is_encrypted = False
        self.end = MemoryTransport(stage.turns, self, self._hear)

    async def encrypt(self, verifies: bool, within_s: float) -> None:
        assert within_s > 0
        step = self._stage.server.step_for("HANDSHAKE", b"")
        if isinstance(step, Promise):
            await step.kept()
        elif isinstance(step, HandshakeFailed):
            raise step
        self.is_encrypted = True

    def _hear(self, data: bytes) -> None:
        server = self._stage.server
        server.heard += data
        self._heard += data
        while b"\r\n" in self._heard:
            line, _, self._heard = self._heard.partition(b"\r\n")
            if self._is_in_message:
                self._hear_message_line(line)
            else:
                self._hear_command(line)

    def _hear_command(self, line: bytes) -> None:
        server = self._stage.server
        server.commands.append(line)
        verb = line.split(b" ")[0].upper().decode("ascii", "replace")
        default = {
            "EHLO": server.ehlo,
            "DATA": b"354 go\r\n",
            "QUIT": b"221 bye\r\n",
            "STARTTLS": b"220 go\r\n",
        }
        step = _say(server.step_for(verb, default.get(verb, b"250 2.0.0 fine\r\n")))
        self._is_in_message = verb == "DATA" and step.data[:3] == b"354"
        self.say(step)

    def _hear_message_line(self, line: bytes) -> None:
        server = self._stage.server
        if line == b".":
            self._is_in_message = False
            server.messages.append(server.lines_of_message)
            server.lines_of_message = b""
            self.say(_say(server.step_for("DOT", b"250 2.0.0 queued as 1\r\n")))
            return
        if not server.lines_of_message and "BODY" in server.script:
            self.say(_say(server.step_for("BODY", b"")))
        server.lines_of_message += line + b"\r\n"

    def say(self, step: Say) -> None:
        if step.after_s:
            self._stage.later(step.after_s, lambda: self.say(Say(step.data, hangs_up=step.hangs_up)))
            return
        self._stage.server.said += step.data
        for piece in self._stage.server.cut(step.data):
            self._stage.turns.soon(lambda piece=piece: self.end.receive(piece))  # type: ignore[misc]
        if step.hangs_up:
            self._stage.turns.soon(self.end.lose)


@dataclass
class ServerScript:
    """Answers each verb by `script`, or positively; a list is used up, one step each time."""

    script: dict[str, Step | list[Step]] = field(default_factory=dict)
    ehlo: bytes = EHLO
    cut: Callable[[bytes], Iterable[bytes]] = lambda data: (data,) if data else ()
    commands: list[bytes] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    connections: list[ServerSide] = field(default_factory=list)
    heard: bytes = b""
    said: bytes = b""
    lines_of_message: bytes = b""

    def step_for(self, verb: str, default: bytes) -> Step:
        step = self.script.get(verb, default)
        if isinstance(step, list):
            return step.pop(0) if step else default
        return step


class ServerRoute:
    """The way to the scripted server."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage

    async def connect(self) -> ServerSide:
        stage, server = self._stage, self._stage.server
        step = server.step_for("CONNECT", b"")
        if isinstance(step, ServerUnreachable):
            raise step
        if isinstance(step, Promise):
            await step.kept()
        wire = ServerSide(stage)
        server.connections.append(wire)
        wire.connection_made(wire.end)
        wire.say(_say(server.step_for("GREETING", b"220 mx.acme.example ESMTP\r\n")))
        return wire


class ScriptedScanners:
    def __init__(self, verdict: Verdict | Promise) -> None:
        self.verdict = verdict
        self.scanned: list[bytes] = []

    async def scan(self, spool: Spool, scanners: tuple[ScannerAddress, ...]) -> Verdict:
        self.scanned.append(b"".join(spool.read()))
        if isinstance(self.verdict, Promise):
            await self.verdict.kept()
            return CLEAN
        return self.verdict


def settings_of(**of_tenant: object) -> Settings:
    tenant = {
        "name": "acme",
        "servers": ["203.0.113.10"],
        "scan": [{"action": "skip"}],
        "message_limit_bytes": 100_000,
        **of_tenant,
    }
    top = {"format": 1, "revision": 7, "role": "proxy", "pool": "p"}
    return read_settings(Settings, json.dumps({**top, "tenants": [tenant]})).record


class Stage:
    """One session; `heard` is all that the client has been sent."""

    def __init__(
        self,
        server: ServerScript | None = None,
        verdict: Verdict | Promise = CLEAN,
        *,
        has_starttls: bool = True,
        room_bytes: int = 1_000_000,
        scanners: "ScriptedScanners | None" = None,
        **of_tenant: object,
    ) -> None:
        self.server = server or ServerScript()
        self.time = 1_000.0
        self.turns = Turns()
        self._later: list[tuple[float, Callable[[], object]]] = []
        self.sweeper, self.outbox = Sweeper(lambda: self.time), Outbox(self.turns.soon)
        self.scanners, self.journal = scanners or ScriptedScanners(verdict), MemoryJournal()
        self.spools: list[MemorySpool] = []
        self.heard = b""
        self.has_ended = False
        self.error: BaseException | None = None
        self.client = ClientSide(self.sweeper, self.outbox)
        self.client_end = MemoryTransport(self.turns, self.client, self._hear)
        self.client.connection_made(self.client_end)
        self._room_bytes = room_bytes
        settings = settings_of(**of_tenant)
        address = ip_address("198.51.100.10")
        context = SessionContext("5e5510", settings, settings.tenants[0], address, has_starttls)
        shared = Dependencies(self.sweeper, self.scanners, self._new_spool)
        session = Session(shared, context, Peers(self.client, ServerRoute(self), self.journal))
        self.driver = Driver(dialogue.hold(session), self._on_end)

    def _new_spool(self) -> MemorySpool:
        self.spools.append(MemorySpool(self._room_bytes))
        return self.spools[-1]

    def _hear(self, data: bytes) -> None:
        self.heard += data

    def _on_end(self, error: BaseException | None) -> None:
        assert not self.has_ended
        self.has_ended, self.error = True, error
        self.client.close()

    # the loop

    def later(self, after_s: float, call: Callable[[], object]) -> None:
        self._later.append((self.time + after_s, call))

    def settle(self) -> None:
        self.turns.settle()

    def advance(self, seconds: float) -> None:
        """Let time pass, in steps of a few seconds: the sweeper looks more often, and sees no more."""
        end = self.time + seconds
        while self.time < end:
            self.time = min(self.time + STEP_S, end)
            due, self._later = (
                [each for each in self._later if each[0] <= self.time],
                [each for each in self._later if each[0] > self.time],
            )
            for _, call in due:
                call()
            self.settle()
            self.sweeper.sweep()
            self.settle()

    # the client

    def begin(self) -> "Stage":
        self.driver.step()
        self.settle()
        return self

    def send(self, data: bytes) -> None:
        self.client_end.receive(data)
        self.settle()

    def ask(self, line: bytes) -> bytes:
        """Send a command, or a message, and return what is heard at once."""
        before = len(self.heard)
        self.send(line + b"\r\n")
        return self.heard[before:]

    def leave(self) -> None:
        self.client_end.lose()
        self.settle()

    def stop(self) -> None:
        """The gateway ends the session."""
        self.driver.end(SessionStopped())
        self.settle()

    def patient_reply(self) -> None:
        """Let time pass until the client hears something, or the session ends."""
        before = len(self.heard)
        waited = 0.0
        while len(self.heard) == before and not self.has_ended and waited < LONG_S:
            self.advance(STEP_S)
            waited += STEP_S


def replies_in(heard: bytes) -> list[bytes]:
    """Return whole replies, lines joined. Raise `AssertionError` for anything that is not one."""
    replies, lines = [], b""
    for line in heard.splitlines(keepends=True):
        assert line.endswith(b"\r\n") and line[:3].isdigit(), heard
        lines += line
        if line[3:4] != b"-":
            replies.append(lines)
            lines = b""
    assert not lines, heard
    return replies
