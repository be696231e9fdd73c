"""The interface of a protocol: conversations, keys of a persona, facts to compare."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.fingerprint.script import Answers, Circumstances, Conversation, Ending, Heard, ScriptStep

_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LONGEST_LINE = 2_000
LONGEST_TEXT = 200_000
Facts = dict[str, str]


@dataclass(slots=True)
class Lesson:
    """Keys of a persona's service, and remarks about them for the reviewer."""

    fields: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def clean(self, text: str, what: str) -> str:
        """Return text in the form that a persona accepts; add a remark if the text was changed."""
        kept = _FORBIDDEN.sub("?", text)
        if kept != text:
            self.remarks.append(f"{what} has control characters or invalid UTF-8, replaced by ?")
        if len(kept) > LONGEST_TEXT:
            self.remarks.append(f"{what} was truncated at {LONGEST_TEXT} characters")
        return kept[:LONGEST_TEXT]

    def line(self, text: str, what: str) -> str:
        """Return one line in the form that a persona accepts."""
        line = self.clean(text, what).replace("\r", "?").replace("\n", "?").replace("\t", " ")
        return line[:_LONGEST_LINE]


@dataclass(frozen=True, slots=True)
class Speaking:
    conversations: Callable[[Circumstances], tuple[Conversation, ...]]
    learn: Callable[[Answers, Circumstances], Lesson]
    facts: Callable[[Answers], Facts]
    # Steps before a TLS handshake in protocols that begin in clear text; None: TLS was not offered.
    way_to_tls: Callable[[Answers], tuple[ScriptStep, ...] | None] = lambda answers: None
    begins_with_tls: bool = False


def plain_facts(answers: Answers) -> Facts:
    """Return each answer as it was received, and how it ended."""
    return {name: told(heard) for name, heard in answers.items()}


def told(heard: Heard) -> str:
    text = heard.text.replace("\r\n", "\n").removesuffix("\n")
    return text if heard.ending is Ending.WHOLE else f"{text}\n[{heard.ending}]".lstrip("\n")


def text_of(answers: Answers, name: str) -> str | None:
    """Return an answer's lines, separated by newlines as in personas, or None if there was no answer."""
    heard = answers.get(name)
    if heard is None or not heard.data or heard.ending not in (Ending.WHOLE, Ending.CLOSED):
        return None
    return "\n".join(heard.lines)


def encrypted(conversations: tuple[Conversation, ...]) -> tuple[Conversation, ...]:
    """Return the same conversations with TLS from the first byte on."""
    return tuple(Conversation(each.steps, begins_with_tls=True) for each in conversations)
