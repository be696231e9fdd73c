"""One client of a decoy: bytes between a socket and a dialogue, with TLS, a recording, and limits."""

import asyncio
import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import Any, Protocol

from services.decoy.admission import DecoyCaps
from services.decoy.dialogues.base import Dialogue, Step
from services.decoy.events import SessionNotes
from services.decoy.spool.recordings import IN, OUT
from services.decoy.tls import TlsChannel

_MOST_UNREAD_BYTES = 1024 * 1024  # sent, but not yet read by the client
_PARTING_S = 5.0
_AT_ONCE = struct.pack("ii", 1, 0)


class Part(Protocol):
    """What a session gets when it is admitted."""

    dialogue: Dialogue
    notes: SessionNotes
    context: ssl.SSLContext | None
    begins_with_tls: bool


class DecoySession(asyncio.Protocol):
    """`admit` returns the session's part, or None to refuse. `on_closed` is called once for admitted ones."""

    def __init__(
        self,
        caps: DecoyCaps,
        admit: "Callable[[DecoySession, Any], Part | None]",
        on_closed: "Callable[[DecoySession], object]",
    ) -> None:
        self._caps, self._admit, self._on_closed = caps, admit, on_closed
        self._transport: Any = None
        self.part: Part | None = None
        self._tls: TlsChannel | None = None
        self._begun = self._heard_at = time.monotonic()
        self._bytes_in = self._bytes_out = 0
        self._why = ""

    # asyncio calls these

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.part = self._admit(self, transport)
        if self.part is None:
            _reset(transport)
        elif self.part.begins_with_tls:
            self._begin_tls(self.part)
        else:
            self._carry_out(self.part, self.part.dialogue.greet())

    def data_received(self, data: bytes) -> None:
        if self.part is None or self._why:
            return
        self._heard_at = time.monotonic()
        self._bytes_in += len(data)
        if self._bytes_in > self._caps.bytes_in:
            self.end("too many bytes")
            return
        try:
            if self._tls is None:
                self._hear(self.part, data)
            else:
                self._decrypt(self.part, self._tls, data)
        except Exception as error:  # a bug of ours ends one session, never the decoy
            self.part.notes.failed(error)
            self._why = "the decoy failed"
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        if self.part is None:
            return
        part, self.part = self.part, None
        part.dialogue.close()
        why = self._why or "client went away"
        part.notes.closed(why, time.monotonic() - self._begun, self._bytes_in, self._bytes_out)
        self._on_closed(self)

    # the decoy calls these

    def look_at(self, now: float) -> None:
        """End a session that takes too long, or abort it if its client does not read the end."""
        if self._why:
            if now - self._heard_at > _PARTING_S:
                self._transport.abort()
        elif now - self._begun > self._caps.seconds:
            self.end("too long")
        elif now - self._heard_at > self._caps.idle_s:
            self.end("silent")
        elif self.part is not None:
            self.part.notes.recording.flush()

    def end(self, why: str) -> None:
        """End the session as the protocol does, and close the connection."""
        if self._why or self.part is None:
            return
        step = self.part.dialogue.time_out()
        self._say(self.part, step.out)
        self._close(why)

    def _hear(self, part: Part, data: bytes) -> None:
        if not data:
            return
        part.notes.recording.add(IN, self._heard_at - self._begun, data)
        self._carry_out(part, part.dialogue.feed(data))

    def _carry_out(self, part: Part, step: Step) -> None:
        self._say(part, step.out)
        for event in step.events:
            part.notes.take(event)
        if step.is_over:
            self._close("done")
        elif step.begins_tls:
            self._begin_tls(part)

    def _begin_tls(self, part: Part) -> None:
        assert part.context is not None  # a dialogue offers TLS only if its persona has it
        self._tls = TlsChannel(part.context)

    def _decrypt(self, part: Part, tls: TlsChannel, data: bytes) -> None:
        was_ready = tls.is_ready
        try:
            plain = tls.receive(data)
        except ssl.SSLError as error:
            self._write(tls.to_send())
            self._close(f"TLS failed: {error.reason or type(error).__name__}")
            return
        self._write(tls.to_send())
        if tls.is_ready and not was_ready:
            part.notes.encrypted(tls.version, tls.cipher)
            part.dialogue.is_encrypted = True
            self._carry_out(
                part, part.dialogue.greet() if part.begins_with_tls else part.dialogue.encrypted()
            )
        self._hear(part, plain)
        if tls.is_over:
            self._close("client went away")

    def _say(self, part: Part, data: bytes) -> None:
        if not data or (self._tls is not None and not self._tls.is_ready):
            return
        part.notes.recording.add(OUT, time.monotonic() - self._begun, data)
        self._write(data if self._tls is None else self._tls.send(data))

    def _write(self, data: bytes) -> None:
        if not data or self._transport.is_closing():
            return
        self._bytes_out += len(data)
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > _MOST_UNREAD_BYTES:
            self._why = "client does not read"
            self._transport.abort()

    def _close(self, why: str) -> None:
        if not self._why and self._tls is not None and self._tls.is_ready:
            self._write(self._tls.close())
        self._why, self._heard_at = self._why or why, time.monotonic()
        self._transport.close()


def _reset(transport: Any) -> None:
    """Reset the connection, as the kernel does at a closed port."""
    with contextlib.suppress(OSError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()
