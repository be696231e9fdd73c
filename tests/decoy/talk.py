"""Talks with dialogues without a socket, whole or a byte at a time."""

from collections.abc import Callable

from services.decoy.dialogues.base import Dialogue, Event
from services.decoy.dialogues.capture import Budget
from services.decoy.dialogues.choose import dialogue_for
from services.personas.model import Service
from services.personas.parse import parse_persona

DATE = "Tue, 24 Nov 2026 00:00:00 GMT"
HEAD = "postern-persona: 1\ntenant: acme\nhosts:\n  d:\n    addresses: dark\n    services:\n"
Start = Callable[[], Dialogue]


def service(text: str) -> Service:
    dark = parse_persona(f"{HEAD}      {text}\n", "acme.yaml").dark
    assert dark is not None
    return next(iter(dark.services.values()))


def dialogue(text: str, budget: Budget | None = None) -> Dialogue:
    return dialogue_for(service(text), budget or Budget(10_000_000), "1.2", lambda: DATE)


class Talk:
    """One conversation: what was said, what was noted, how it stands."""

    def __init__(self, text: str, budget: Budget | None = None) -> None:
        self.dialogue = dialogue(text, budget)
        first = self.dialogue.greet()
        self.greeting = first.out.decode()
        self.events: list[Event] = list(first.events)
        self.is_over = first.is_over
        self.begins_tls = False

    def say(self, data: bytes, piece: int = 0) -> str:
        """Send bytes, in pieces if wanted; return the answer."""
        out = b""
        for begin in range(0, len(data), piece or len(data) or 1):
            step = self.dialogue.feed(data[begin : begin + (piece or len(data))])
            out += step.out
            self.events += step.events
            self.is_over = step.is_over
            self.begins_tls = self.begins_tls or step.begins_tls
            if step.is_over or step.begins_tls:
                break
        return out.decode("utf-8", "replace")

    def ask(self, line: str) -> str:
        return self.say(line.encode() + b"\r\n").removesuffix("\r\n")

    def of(self, kind: type) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]
