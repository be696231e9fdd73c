"""What all dialogues share: events, steps, and lines from a buffer of limited size.

A dialogue tolerates sloppy clients (bare newlines, strange bytes), and limits everything:
the length of a line, the number of commands, what is kept of a message.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

LONGEST_LINE = 8_192
MOST_COMMANDS = 1_000
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_LONGEST_ECHO = 256


@dataclass(frozen=True, slots=True)
class Login:
    mechanism: str
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Command:
    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """Data that a client sent: hash and size of all of it. `data` is complete unless truncated."""

    sha256: str
    size: int
    data: bytes
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Message:
    sender: str
    recipients: tuple[str, ...]
    content: Content


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: Content
    status: int


@dataclass(frozen=True, slots=True)
class Upload:
    name: str
    content: Content


Event = Login | Command | Message | Request | Upload


@dataclass(frozen=True, slots=True)
class Step:
    """What the caller must do: send `out`, record the events, then begin TLS, close, or neither."""

    out: bytes
    events: tuple[Event, ...]
    begins_tls: bool
    is_over: bool


def fill(text: str, values: Mapping[str, str]) -> bytes:
    """Return a persona's reply as sent on the wire, with the words in braces filled in."""

    def value_of(found: re.Match[str]) -> str:
        value = values.get(found[1])
        return found[0] if value is None else _UNPRINTABLE.sub("?", value)[:_LONGEST_ECHO]

    lines = _PLACEHOLDER.sub(value_of, text).replace("\r\n", "\n").split("\n")
    return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n"


def text_of(data: bytes) -> str:
    """Return a peer's bytes as text. Bytes that are not valid UTF-8 are escaped."""
    return data.decode("utf-8", "backslashreplace")


class Dialogue:
    """Base class: call `greet` once, then `feed` until a step is over. The caller sets `is_encrypted`."""

    def __init__(self) -> None:
        self.is_encrypted = False
        self._out = bytearray()
        self._events: list[Event] = []
        self._begins_tls = False
        self._is_over = False

    def greet(self) -> Step:
        self._greet()
        return self._step()

    def feed(self, data: bytes) -> Step:
        if not self._is_over:
            self._feed(data)
        return self._step()

    def encrypted(self) -> Step:
        """Continue after the TLS handshake that this dialogue requested."""
        self.is_encrypted = True
        self._begins_tls = False
        self._encrypted()
        return self._step()

    def time_out(self) -> Step:
        if not self._is_over:
            self._time_out()
            self._is_over = True
        return self._step()

    def close(self) -> None:
        """Release what is held for a client that has disconnected."""

    def _step(self) -> Step:
        step = Step(bytes(self._out), tuple(self._events), self._begins_tls, self._is_over)
        self._out.clear()
        self._events.clear()
        return step

    def _note(self, event: Event) -> None:
        self._events.append(event)

    # what each dialogue does

    def _greet(self) -> None: ...

    def _feed(self, data: bytes) -> None:
        raise NotImplementedError

    def _encrypted(self) -> None: ...

    def _time_out(self) -> None: ...


class LineDialogue(Dialogue):
    """Takes lines that end with LF, with or without CR. A subclass may take raw bytes for a while."""

    def __init__(self, replies: Mapping[str, str], values: Mapping[str, str]) -> None:
        super().__init__()
        self._replies, self._values = replies, dict(values)
        self._buffer = bytearray()
        self._skips_line = False  # the rest of a line that was too long
        self._commands = 0

    def _say(self, reply: str, **values: str) -> None:
        self._out += self._reply(reply, **values)

    def _reply(self, reply: str, **values: str) -> bytes:
        return fill(self._replies[reply], {**self._values, **values})

    def _end(self) -> None:
        self._is_over = True
        self._buffer.clear()

    def _begin_tls(self) -> None:
        """Discard input from before the handshake: RFC 3207, 4.2, and CVE-2011-0411."""
        self._begins_tls = True
        self._buffer.clear()

    def _time_out(self) -> None:
        self._say("timed_out")

    def _feed(self, data: bytes) -> None:
        self._buffer += data
        while not self._is_over and not self._begins_tls and self._buffer:
            if self._wants_raw():
                taken = self._raw(bytes(self._buffer))
                del self._buffer[:taken]
                if not taken:
                    return
            elif not self._take_line():
                return

    def _take_line(self) -> bool:
        """Handle one line; return whether there may be another one."""
        end = self._buffer.find(b"\n", 0, LONGEST_LINE)
        if end < 0:
            if len(self._buffer) >= LONGEST_LINE:
                self._drop_long_line()
                return bool(self._buffer)
            return False
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        if self._skips_line:
            self._skips_line = False
            return True
        self._commands += 1
        if self._commands > MOST_COMMANDS:
            self._too_many()
        else:
            self._line(line)
        return True

    def _drop_long_line(self) -> None:
        if not self._skips_line:
            self._note(Command(text_of(bytes(self._buffer[:LONGEST_LINE]))))
            self._too_long()
        end = self._buffer.find(b"\n")
        self._skips_line = end < 0
        del self._buffer[: end + 1 if end >= 0 else len(self._buffer)]

    def _too_long(self) -> None:
        self._say("too_long")

    def _too_many(self) -> None:
        self._say("too_many_errors")
        self._end()

    # what each dialogue does

    def _line(self, line: bytes) -> None:
        raise NotImplementedError

    def _wants_raw(self) -> bool:
        return False

    def _raw(self, data: bytes) -> int:
        """Take bytes; return how many were taken."""
        raise NotImplementedError
